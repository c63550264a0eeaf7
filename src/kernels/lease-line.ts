/**
 * Everybody in this process who waits for the same name stands in one line, with one watch on the store.
 * When the name may be free only the first is told: if a thousand wait, one asks, not a thousand. The
 * rest keep polling slowly, which also covers hints that get lost.
 *
 * The line is about asking, not about fairness: who gets the name is the store's decision.
 */
import { LimitExceededError } from '../errors.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import type { Runtime } from '../runtime/index.ts'

/** Calls of one process that may wait at the same time, over all names. */
export const waitersMax = 10_000

export interface Place {
  /** Resolves when it is time to ask again: told so, `pollMs` are over, or the signal aborted. */
  turn(pollMs: number, signal: AbortSignal | undefined): Promise<void>
  /** Leaves nothing behind. Who leaves empty-handed passes what he was told on to the next. */
  leave(emptyHanded: boolean): void
}

interface Waiter {
  told: boolean
  wake: (() => void) | undefined
}

interface Line {
  readonly waiters: Set<Waiter>
  unwatch: () => void
}

interface Hall {
  readonly lines: WeakMap<LeaseStore, Map<string, Line>>
  waiting: number
}

// Keyed by runtime, because one realm can hold many processes of a simulated world.
const halls = new WeakMap<Runtime, Hall>()

/** @throws {LimitExceededError} more than `waitersMax` wait already. */
export function joinLine(runtime: Runtime, store: LeaseStore, name: string): Place {
  const hall = hallOf(runtime)
  if (hall.waiting >= waitersMax) {
    throw new LimitExceededError(`${waitersMax} calls of this process already wait for leases`)
  }
  const lines = linesOf(hall, store)
  const line = lines.get(name) ?? openLine(lines, store, name)
  const waiter: Waiter = { told: true, wake: undefined }
  line.waiters.add(waiter)
  hall.waiting += 1

  return {
    turn(pollMs, signal) {
      if (waiter.told || signal?.aborted) {
        waiter.told = false
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        const wake = (): void => {
          timer.cancel()
          signal?.removeEventListener('abort', wake)
          waiter.wake = undefined
          waiter.told = false
          resolve()
        }
        const timer = runtime.timers.schedule(pollMs, wake)
        signal?.addEventListener('abort', wake, { once: true })
        waiter.wake = wake
      })
    },
    leave(emptyHanded) {
      if (!line.waiters.delete(waiter)) return
      hall.waiting -= 1
      if (line.waiters.size === 0) {
        lines.delete(name)
        line.unwatch()
      } else if (emptyHanded) tellFirst(line)
    },
  }
}

/** How many calls of this process wait now; for tests and gauges. */
export function waitersNow(runtime: Runtime): number {
  return halls.get(runtime)?.waiting ?? 0
}

function openLine(lines: Map<string, Line>, store: LeaseStore, name: string): Line {
  const line: Line = { waiters: new Set(), unwatch: () => {} }
  line.unwatch = store.watch(name, () => tellFirst(line))
  lines.set(name, line)
  return line
}

function tellFirst(line: Line): void {
  for (const first of line.waiters) {
    first.told = true
    first.wake?.()
    return
  }
}

function hallOf(runtime: Runtime): Hall {
  const existing = halls.get(runtime)
  if (existing !== undefined) return existing
  const hall: Hall = { lines: new WeakMap(), waiting: 0 }
  halls.set(runtime, hall)
  return hall
}

function linesOf(hall: Hall, store: LeaseStore): Map<string, Line> {
  const existing = hall.lines.get(store)
  if (existing !== undefined) return existing
  const lines = new Map<string, Line>()
  hall.lines.set(store, lines)
  return lines
}
