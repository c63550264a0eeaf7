/** What the quorum of an etcd-like store agrees on, for one namespace, under one growing revision. */
import { type Bells, bells as newBells } from '../../drivers/cluster/link/hints.ts'
import {
  type LeaseRow,
  type LeaseTable,
  leaseTable,
} from '../../drivers/cluster/machine/lease-table.ts'
import { type RecordTable, recordTable } from '../../drivers/cluster/machine/record-table.ts'
import { type RegistryTable, registryTable } from '../../drivers/cluster/machine/registry-table.ts'
import { leaseTopic } from './lease-hints.ts'

/** etcd counts whole seconds, and grants no less than its elections need. */
export const etcdLimits: { readonly ttlMinMs: number; readonly ttlStepMs: number } = {
  ttlMinMs: 2_000,
  ttlStepMs: 1_000,
}
const historyMax = 10_000

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
  const rows = new Map<string, LeaseRow>()
  let revision = 0n
  const next = (): bigint => ++revision
  const registry = registryTable({
    ttlMinMs: etcdLimits.ttlMinMs,
    historyMax,
    nextRevision: next,
    changed: () => bells.ring('registry'),
  })
  return {
    bells,
    registry,
    leases: leaseTable(rows, {
      ...etcdLimits,
      fifo: true,
      nextToken: next,
      changed(row) {
        // Its tokens are revisions, so nothing of a free name need be remembered.
        if (row.attemptId === undefined && row.line.size === 0) rows.delete(row.name)
        else rows.set(row.name, row)
        bells.ring(leaseTopic(row.name))
      },
    }),
    records: recordTable(next, (space) => bells.ring(`space ${space}`)),
    extend(nowMs) {
      for (const [name, row] of rows) {
        if (row.attemptId === undefined) continue
        rows.set(name, { ...row, endsMs: Math.max(row.endsMs, nowMs + row.ttlMs) })
      }
      registry.extend(nowMs)
    },
    expire(nowMs) {
      registry.expire(nowMs)
      for (const [name, row] of rows) {
        if (row.attemptId === undefined || row.endsMs > nowMs) continue
        const { attemptId: _, ...free } = row
        if (row.line.size === 0) rows.delete(name)
        else rows.set(name, free)
      }
    },
  }
}
