/** What the quorum of an etcd-like store agrees on, for one namespace, under one growing revision. */
import { type Bells, bells as newBells } from '../../drivers/cluster/link/hints.ts'
import { type LeaseTable, leaseTable } from '../../drivers/cluster/machine/lease-table.ts'
import { type RecordTable, recordTable } from '../../drivers/cluster/machine/record-table.ts'
import { type RegistryTable, registryTable } from '../../drivers/cluster/machine/registry-table.ts'
import { leaseTopic } from './lease-hints.ts'

/** etcd counts whole seconds, and grants no less than its elections need. */
export const etcdLimits: { readonly ttlMinMs: number; readonly ttlStepMs: number } = {
  ttlMinMs: 2_000,
  ttlStepMs: 1_000,
}
const historyMax = 10_000
const unlimited = { namesMax: Number.MAX_SAFE_INTEGER, rowsMax: Number.MAX_SAFE_INTEGER } as const

export interface EtcdKeyspace {
  readonly leases: LeaseTable
  readonly records: RecordTable
  readonly registry: RegistryTable
  /** Rung under `lease …`, `space …` and `registry`. */
  readonly bells: Bells
  /** Every lease and session has its whole time to live again: a new leader cannot know how much is left. */
  extend(nowMs: number): void
  /** Ends what has run out. */
  expire(nowMs: number): void
}

export function etcdKeyspace(): EtcdKeyspace {
  const bells = newBells()
  let revision = 0n
  const next = (): bigint => ++revision
  const registry = registryTable({
    ttlMinMs: etcdLimits.ttlMinMs,
    historyMax,
    nextRevision: next,
    changed: () => bells.ring('registry'),
  })
  const leases = leaseTable({
    ...etcdLimits,
    ...unlimited,
    fifo: true,
    // Its tokens are revisions, so nothing of a free name need be remembered.
    forgetsFree: true,
    nextToken: next,
    changed: ({ name }) => bells.ring(leaseTopic(name)),
  })
  const wrote = (space: string): void => bells.ring(`space ${space}`)
  return {
    bells,
    registry,
    leases,
    records: recordTable({ ...unlimited, nextVersion: next, wrote }),
    extend(nowMs) {
      leases.extend(nowMs)
      registry.extend(nowMs)
    },
    expire(nowMs) {
      leases.expire(nowMs)
      registry.expire(nowMs)
    },
  }
}
