/**
 * The embedded driver: every port on one SQLite file of one machine, with no server to install. Any
 * number of processes of that machine share the file; machines never do.
 */
import { type Observer, silentObserver } from '../../observability/observer.ts'
import { requireInteger, requireText } from '../../ports/arguments.ts'
import type { LeaseStore } from '../../ports/lease-store.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import type { Registry } from '../../ports/registry.ts'
import type { WorkStore } from '../../ports/work-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { clockResumed, dueClock } from './due-clock.ts'
import { embeddedLeaseStore } from './lease-store.ts'
import { embeddedMigrations } from './migrations.ts'
import { requireName } from './names.ts'
import { embeddedRecordStore } from './record-store.ts'
import { embeddedRegistry } from './registry.ts'
import { embeddedWorkStore } from './work-store.ts'

export type EmbeddedDurability = 'full' | 'relaxed'

export interface EmbeddedOptions {
  /** The file. Created if absent; its folder must exist and must not be on a network file system. */
  readonly path: string
  /** 1 to 100 characters. Namespaces of one file never see each other. */
  readonly namespace: string
  /** How often something watched is looked at without a hint. 50 to 60_000, default 1_000. */
  readonly pollMs?: number
  readonly observer?: Observer
  /**
   * What survives a power cut. Default `full`, for the registry `relaxed`: its sessions end with the
   * boot anyway. With `relaxed` leases the last tokens can repeat after a power cut.
   */
  readonly durability?: Partial<
    Record<'leases' | 'registry' | 'records' | 'work', EmbeddedDurability>
  >
}

export interface EmbeddedStores {
  readonly leases: LeaseStore
  readonly registry: Registry
  readonly records: RecordStore
  readonly work: WorkStore
  /** Ends the sessions and watches opened here, finishes what was sent, closes the file. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** @throws as `SqlEngine.open` does. */
export async function embedded(
  runtime: Runtime,
  options: EmbeddedOptions,
): Promise<EmbeddedStores> {
  const { path, namespace, pollMs = 1_000, observer = silentObserver, durability = {} } = options
  requireText('path', path, 4_096)
  requireName('namespace', namespace, 100)
  requireInteger('pollMs', pollMs, 50, 60_000)
  const file = await runtime.sql.open({ path, migrations: embeddedMigrations })
  const shared = { namespace, pollMs, observer }
  try {
    const reading = dueClock(runtime.clock)()
    const clocks = ['holdfast_record_sequence', 'holdfast_work_queue']
    const statements = clocks.map((table) => clockResumed(table, reading))
    await file.run({ statements, durability: 'relaxed' })
    const leases = await embeddedLeaseStore(file, runtime, {
      ...shared,
      durability: durability.leases ?? 'full',
    })
    const registry = await embeddedRegistry(file, runtime, {
      ...shared,
      durability: durability.registry ?? 'relaxed',
    })
    const records = embeddedRecordStore(file, runtime, {
      ...shared,
      durability: durability.records ?? 'full',
    })
    const work = embeddedWorkStore(file, runtime, {
      ...shared,
      durability: durability.work ?? 'full',
    })
    const close = async (): Promise<void> => {
      for (const store of [leases, records, work]) store.stop()
      await registry.stop()
      await file.close()
    }
    return { leases, registry, records, work, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await file.close()
    throw error
  }
}
