/**
 * When to wake who waits for a name: after each change of it, and when its holder or the first in line
 * has run out.
 */

import type { Bells } from '../../drivers/cluster/link/hints.ts'
import type { LeaseTable } from '../../drivers/cluster/machine/lease-table.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'

export interface LeaseHintsOptions {
  readonly bells: Bells
  readonly table: LeaseTable
  /** The clock that the table is told. */
  nowMs(): number
}

/** The bell of a name. */
export function leaseTopic(name: string): string {
  return `lease ${name}`
}

/** @returns stops. */
export function leaseHints(
  runtime: Runtime,
  { bells, table, nowMs }: LeaseHintsOptions,
  name: string,
  wake: () => void,
): () => void {
  let timer: Timer | undefined
  function arm(): void {
    timer?.cancel()
    const endMs = table.nextEndMs(name, nowMs())
    if (endMs !== undefined) timer = runtime.timers.schedule(endMs - nowMs() + 1, ring)
  }
  function ring(): void {
    arm()
    wake()
  }
  const stop = bells.listen(leaseTopic(name), ring)
  arm()
  return () => {
    stop()
    timer?.cancel()
  }
}
