/**
 * The embedded driver behind a network: one process on a machine of its own opens the file and serves
 * it to the others. It shows code what changes when the store is no longer next to it: no connection,
 * lost answers, a store that was killed and comes back with what is on its disk.
 *
 * Models: the real embedded driver on the real (in-memory) SQLite, with its durability and crashes.
 * Leaves out: authentication, several servers of one file, limits on connections.
 */

import { type LinkService, linkServer } from '../../drivers/cluster/link/link-server.ts'
import {
  type LeaseName,
  leaseService,
  remoteLeases,
  type ServedLeases,
} from '../../drivers/cluster/link/remote-leases.ts'
import { recordService, remoteRecords } from '../../drivers/cluster/link/remote-records.ts'
import { registryService, remoteRegistry } from '../../drivers/cluster/link/remote-registry.ts'
import { type EmbeddedStores, embedded } from '../../drivers/embedded/index.ts'
import { embeddedMigrations } from '../../drivers/embedded/migrations.ts'
import type { Lease, LeaseCapabilities, LeaseStore } from '../../ports/lease-store.ts'
import type { RecordCapabilities, RecordStore } from '../../ports/record-store.ts'
import type { Registry, RegistryCapabilities } from '../../ports/registry.ts'
import type { WorkCapabilities, WorkStore } from '../../ports/work-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile } from '../../runtime/sql.ts'
import type { Process, World } from '../../simulation/world.ts'
import { servedSessions } from './embedded-sessions.ts'
import { type Engine, engine, services } from './engine.ts'
import { remoteWork, type ServedWork, workService } from './remote-work.ts'

export interface EmbeddedEngineOptions {
  /** The store's machine. Default `store`. */
  readonly machine?: string
  /** Default 4_000. */
  readonly port?: number
}

export interface EmbeddedEngineStores {
  readonly leases: LeaseStore
  readonly registry: Registry
  readonly records: RecordStore
  readonly work: WorkStore
  close(): Promise<void>
}

export interface EmbeddedEngine extends Engine<EmbeddedEngineStores> {
  /** The store's process, to kill or pause. */
  readonly process: Process
}

const path = '/store.db'

export function embeddedEngine(world: World, options: EmbeddedEngineOptions = {}): EmbeddedEngine {
  const { machine = 'store', port = 4_000 } = options
  const address = `${machine}:${port}`
  const process = world.machine(machine).process('server', async (runtime) => {
    const byNamespace = new Map<string, Promise<LinkService>>()
    await linkServer(runtime, {
      address,
      service(namespace) {
        const known = byNamespace.get(namespace)
        if (known !== undefined) return known
        const service = serve(runtime, namespace)
        byNamespace.set(namespace, service)
        // A store that could not be opened may open the next time.
        service.catch(() => byNamespace.delete(namespace))
        return service
      },
    })
    await new Promise<never>(() => {})
  })
  const shared = engine<EmbeddedEngineStores>({
    name: 'embedded behind a network',
    machines: [machine],
    address: () => address,
    stores(runtime, link) {
      const registry = remoteRegistry(runtime, link, registryCapabilities)
      return {
        leases: remoteLeases(runtime, link, leaseCapabilities),
        registry,
        records: remoteRecords(runtime, link, recordCapabilities),
        work: remoteWork(runtime, link, workCapabilities),
        async close() {
          await registry.stop()
          link.close()
        },
      }
    },
  })
  return { ...shared, process }
}

async function serve(runtime: Runtime, namespace: string): Promise<LinkService> {
  const file = await runtime.sql.open({ path, migrations: embeddedMigrations })
  await keepLeases(runtime, file, namespace)
  const stores = await embedded(runtime, { path, namespace })
  const { records, registry } = stores
  return services(
    leaseService(servedLeases(runtime, stores)),
    recordService(records),
    registryService(servedSessions(runtime, file, namespace, registry)),
    workService(servedWork(runtime, stores)),
  )
}

/**
 * To the driver all holders of an earlier boot are dead, because they were on this machine. Here they are
 * elsewhere and alive, and nobody knows how long the machine was down: each lease runs its whole time again.
 */
async function keepLeases(runtime: Runtime, file: SqlFile, namespace: string): Promise<void> {
  const sql = `UPDATE holdfast_lease SET boot = ?2, expires_ms = ?3 + ttl_ms
    WHERE namespace = ?1 AND boot <> ?2 AND attempt IS NOT NULL`
  const { bootId } = runtime.clock
  const parameters = [namespace, bootId, runtime.clock.monotonicMs()]
  await file.run({ statements: [{ sql, parameters }], durability: 'full' })
}

function servedLeases(runtime: Runtime, { leases }: EmbeddedStores): ServedLeases {
  const validForMs = ({ validUntilMs }: Lease): number => validUntilMs - runtime.clock.monotonicMs()
  const lease = (named: LeaseName): Lease => ({ ...named, validUntilMs: 0 })
  return {
    ...leases,
    async acquire(request) {
      const granted = await leases.acquire(request)
      return granted && { token: granted.token, validForMs: validForMs(granted) }
    },
    renew: async (named, ttlMs) => validForMs(await leases.renew(lease(named), ttlMs)),
    release: (named) => leases.release(lease(named)),
  }
}

function servedWork(runtime: Runtime, { work }: EmbeddedStores): ServedWork {
  return {
    ...work,
    async claim(queue, request) {
      const nowMs = runtime.clock.monotonicMs()
      const deliveries = await work.claim(queue, request)
      return deliveries.map(({ validUntilMs, ...delivery }) => ({
        ...delivery,
        validForMs: validUntilMs - nowMs,
      }))
    },
  }
}

// Known before the first connection, as those of any driver are.
const leaseCapabilities: LeaseCapabilities = {
  ttlMinMs: 10,
  ttlStepMs: 1,
  ttlScope: 'lease',
  fairness: 'fifo',
  clock: 'store-monotonic',
  fencing: 'a counter in the row of the name; it never repeats while the file is kept',
  durability: 'a granted token survives a power cut; leases themselves end with the boot',
}
const registryCapabilities: RegistryCapabilities = {
  sessionTtlMinMs: 500,
  consistency: 'CP',
  notification: 'native',
  durability: 'sessions end with the boot of the store',
}
const recordCapabilities: RecordCapabilities = {
  sharesUserTransaction: false,
  durability: 'a write that returned survives a power cut',
}
const workCapabilities: WorkCapabilities = {
  delay: 'native',
  priority: 'native',
  attempts: 'native',
  dedup: 'native',
  orderByKey: 'native',
  durability: 'what was published or settled survives a power cut',
}
