/** What one namespace holds: its leases, its registry and its records. */
import type { LeaseRequest } from '../../../ports/lease-store.ts'
import type { RecordWrite } from '../../../ports/record-store.ts'
import type { SessionOptions } from '../../../ports/registry.ts'
import type { LeaseName } from '../link/remote-leases.ts'
import { type LeaseTable, leaseTable } from './lease-table.ts'
import { type RecordTable, recordTable } from './record-table.ts'
import { type RegistryTable, registryTable } from './registry-table.ts'

/** What the tables of a cluster keep to. */
export const clusterLimits = {
  /**
   * The clock shows whole milliseconds, so a lease may end one early. From here on the drift margin of 1 %
   * covers that and two clocks that run half a percent apart.
   */
  leaseTtlMinMs: 200,
  sessionTtlMinMs: 500,
  namesMax: 1_000_000,
  rowsMax: 1_000_000,
  historyMax: 4_096,
} as const

export interface Keyspace {
  readonly leases: LeaseTable
  readonly registry: RegistryTable
  readonly records: RecordTable
  /** Of the last token or version. */
  readonly writes: bigint
  loadWrites(writes: bigint): void
  /** Ends what has run out. */
  expire(nowMs: number): void
  /** When something ends or comes due next. */
  nextMomentMs(nowMs: number): number | undefined
}

/** @param told the topics that changed: `leases NAME`, `registry`, `records SPACE`. */
export function keyspace(told: (topic: string) => void): Keyspace {
  // One counter for tokens and versions: it never repeats, so nothing of a free name is remembered.
  let writes = 0n
  const next = (): bigint => {
    writes += 1n
    return writes
  }
  let revision = 0n
  const leases = leaseTable({
    ttlMinMs: clusterLimits.leaseTtlMinMs,
    ttlStepMs: 1,
    fifo: true,
    forgetsFree: true,
    namesMax: clusterLimits.namesMax,
    nextToken: next,
    changed: ({ name }) => told(`leases ${name}`),
  })
  const table = registryTable({
    ttlMinMs: clusterLimits.sessionTtlMinMs,
    historyMax: clusterLimits.historyMax,
    nextRevision() {
      revision += 1n
      return revision
    },
    changed: () => told('registry'),
  })
  const registry: RegistryTable = {
    ...table,
    load(picture) {
      revision = picture.revision
      table.load(picture)
    },
  }
  const records = recordTable({
    rowsMax: clusterLimits.rowsMax,
    nextVersion: next,
    wrote: (space) => told(`records ${space}`),
  })
  return {
    leases,
    registry,
    records,
    get writes() {
      return writes
    },
    loadWrites(loaded) {
      writes = loaded
    },
    expire(nowMs) {
      leases.expire(nowMs)
      registry.expire(nowMs)
      records.expire(nowMs)
    },
    nextMomentMs: (nowMs) =>
      [leases.firstEndMs(), registry.firstEndMs(), records.nextMomentMs(nowMs)].reduce(earlier),
  }
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return Math.min(one, other)
}

type Call = (space: Keyspace, at: CallContext, ...values: never[]) => unknown

interface CallContext {
  readonly nowMs: number
  /** Never given before. */
  readonly newId: string
}

/** The commands that change a keyspace. Errors and answers as in the ports. */
export const writeCalls: Readonly<Record<string, Call>> = {
  'leases.acquire': ({ leases }, { nowMs }, request: LeaseRequest) =>
    leases.acquire(request, nowMs),
  'leases.renew': ({ leases }, { nowMs }, lease: LeaseName, ttlMs: number) =>
    leases.renew(lease, ttlMs, nowMs),
  'leases.release': ({ leases }, { nowMs }, lease: LeaseName) => leases.release(lease, nowMs),
  'leases.withdraw': ({ leases }, _, name: string, attemptId: string) =>
    leases.withdraw(name, attemptId),
  'leases.evict': ({ leases }, { nowMs }, name: string) => leases.evict(name, nowMs),
  'registry.openSession': ({ registry }, { nowMs, newId }, options: SessionOptions) =>
    registry.openSession(newId, options, nowMs),
  'registry.keepAlive': ({ registry }, { nowMs }, id: string, ttlMs: number) =>
    registry.keepAlive(id, ttlMs, nowMs),
  'registry.closeSession': ({ registry }, _, id: string) => registry.closeSession(id),
  'registry.register': ({ registry }, _, id: string, key: string, value: string) =>
    registry.register(id, key, value),
  'registry.deregister': ({ registry }, _, id: string, key: string) => registry.deregister(id, key),
  'records.putAll': ({ records }, { nowMs }, writes: RecordWrite[]) =>
    records.putAll(writes, nowMs),
  'records.delete': ({ records }, { nowMs }, space: string, key: string, expected: bigint) =>
    records.delete(space, key, expected, nowMs),
  'records.increment': ({ records }, _, space: string, key: string, by: bigint) =>
    records.increment(space, key, by),
}

interface Page {
  readonly after?: string
  readonly limit: number
}

/** The questions that change nothing. */
export const readCalls: Readonly<Record<string, Call>> = {
  'leases.list': ({ leases }, { nowMs }, prefix: string, page: Page) =>
    leases.list(prefix, page, nowMs),
  'registry.list': ({ registry }, _, prefix: string) => registry.list(prefix),
  'records.get': ({ records }, { nowMs }, space: string, key: string) =>
    records.get(space, key, nowMs),
  'records.due': ({ records }, { nowMs }, space: string, limit: number) =>
    records.due(space, limit, nowMs),
  'records.list': ({ records }, { nowMs }, space: string, page: Page) =>
    records.list(space, page, nowMs),
}
