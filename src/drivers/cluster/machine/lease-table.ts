/**
 * A table of leases in the memory of a model: who holds what until when, and who waits. It is told the
 * time with each call and knows nothing of processes, so each engine decides for itself what of it
 * survives.
 */
import { LeaseLostError, LimitExceededError } from '../../../errors.ts'
import { requireInteger, requireLength, requireText } from '../../../ports/arguments.ts'
import { type LeaseInfo, type LeaseRequest, leaseDriftMargin } from '../../../ports/lease-store.ts'
import type { LeaseGrant, LeaseName } from '../link/remote-leases.ts'

export interface LeaseRow {
  readonly name: string
  /** Of the last lease, over or not. */
  readonly token: bigint
  /** Absent: free. */
  readonly attemptId?: string
  readonly holder: string
  readonly ttlMs: number
  /** By the clock of the engine. */
  readonly endsMs: number
  /** Attempts in line with the ends of their places, first come first. */
  readonly line: ReadonlyMap<string, number>
}

export interface LeaseTableOptions {
  readonly ttlMinMs: number
  readonly ttlStepMs: number
  /** Is a line kept? */
  readonly fifo: boolean
  /** The token of the next lease of this name, larger than `last`. */
  nextToken(last: bigint): bigint
  /** The row is to be stored. */
  changed(row: LeaseRow): void
}

export interface LeaseTable {
  acquire(request: LeaseRequest, nowMs: number): LeaseGrant | undefined
  /** @returns how long it is good from now, less the drift margin. @throws {LeaseLostError} */
  renew(lease: LeaseName, ttlMs: number, nowMs: number): number
  release(lease: LeaseName, nowMs: number): boolean
  withdraw(name: string, attemptId: string): void
  list(
    prefix: string,
    page: { readonly after?: string; readonly limit: number },
    nowMs: number,
  ): readonly LeaseInfo[]
  evict(name: string, nowMs: number): boolean
  /** When the holder or the first in line ends next; `undefined` if the name is free and alone. */
  nextEndMs(name: string, nowMs: number): number | undefined
}

const ttlMaxMs = 86_400_000
export const lineMax: number = 1_000

/** @param rows the stored rows; they are changed only through `options.changed`. */
export function leaseTable(
  rows: ReadonlyMap<string, LeaseRow>,
  options: LeaseTableOptions,
): LeaseTable {
  const { ttlMinMs, ttlStepMs, fifo, changed } = options
  const empty = (name: string): LeaseRow => ({
    name,
    token: 0n,
    holder: '',
    ttlMs: 0,
    endsMs: Number.NEGATIVE_INFINITY,
    line: new Map(),
  })
  const rounded = (ttlMs: number): number => Math.ceil(ttlMs / ttlStepMs) * ttlStepMs
  const isHeld = (row: LeaseRow, nowMs: number): boolean =>
    row.attemptId !== undefined && row.endsMs > nowMs
  const goodForMs = (row: LeaseRow, nowMs: number): number =>
    row.endsMs - nowMs - row.ttlMs * leaseDriftMargin

  function heldBy({ name, token, attemptId }: LeaseName, nowMs: number): LeaseRow | undefined {
    const row = rows.get(name)
    if (row === undefined || !isHeld(row, nowMs)) return undefined
    return row.token === token && row.attemptId === attemptId ? row : undefined
  }

  function free({ attemptId: _, ...row }: LeaseRow): void {
    changed({ ...row, endsMs: Number.NEGATIVE_INFINITY })
  }

  return {
    acquire(request, nowMs) {
      requireRequest(request, ttlMinMs, fifo)
      const { name, attemptId, holder = '', queueForMs } = request
      const row = rows.get(name) ?? empty(name)
      if (isHeld(row, nowMs) && row.attemptId === attemptId) {
        return { token: row.token, validForMs: goodForMs(row, nowMs) }
      }
      const line = new Map([...row.line].filter(([, endsMs]) => endsMs > nowMs))
      const [first] = line.keys()
      if (isHeld(row, nowMs) || (first !== undefined && first !== attemptId)) {
        if (!fifo || queueForMs === undefined) return undefined
        if (line.size >= lineMax && !line.has(attemptId)) {
          throw new LimitExceededError(`${lineMax} already wait for "${name}"`)
        }
        changed({ ...row, line: line.set(attemptId, nowMs + queueForMs) })
        return undefined
      }
      line.delete(attemptId)
      const ttlMs = rounded(request.ttlMs)
      const token = options.nextToken(row.token)
      const taken = { name, token, attemptId, holder, ttlMs, endsMs: nowMs + ttlMs, line }
      changed(taken)
      return { token, validForMs: goodForMs(taken, nowMs) }
    },
    renew(lease, ttlMs, nowMs) {
      requireInteger('ttlMs', ttlMs, ttlMinMs, ttlMaxMs)
      const row = heldBy(lease, nowMs)
      if (row === undefined) {
        throw new LeaseLostError(`lease ${lease.token} of "${lease.name}" is gone`)
      }
      const wanted = rounded(ttlMs)
      const longer = nowMs + wanted > row.endsMs
      const next = longer ? { ...row, ttlMs: wanted, endsMs: nowMs + wanted } : row
      if (longer) changed(next)
      return goodForMs(next, nowMs)
    },
    release(lease, nowMs) {
      const row = heldBy(lease, nowMs)
      if (row !== undefined) free(row)
      return row !== undefined
    },
    withdraw(name, attemptId) {
      requireText('name', name, 512)
      const row = rows.get(name)
      if (row?.line.has(attemptId) !== true) return
      changed({ ...row, line: new Map([...row.line].filter(([other]) => other !== attemptId)) })
    },
    list(prefix, { after = '', limit }, nowMs) {
      requireLength('prefix', prefix, 512)
      requireInteger('limit', limit, 1, 1_000)
      return [...rows.values()]
        .filter((row) => row.name.startsWith(prefix) && row.name > after && isHeld(row, nowMs))
        .sort((one, other) => (one.name < other.name ? -1 : 1))
        .slice(0, limit)
        .map(({ name, token, holder, endsMs, line }) => ({
          name,
          token,
          holder,
          remainingMs: endsMs - nowMs,
          waiters: [...line.values()].filter((placeEndsMs) => placeEndsMs > nowMs).length,
        }))
    },
    evict(name, nowMs) {
      requireText('name', name, 512)
      const row = rows.get(name)
      if (row === undefined || !isHeld(row, nowMs)) return false
      free(row)
      return true
    },
    nextEndMs(name, nowMs) {
      const row = rows.get(name)
      if (row === undefined) return undefined
      if (isHeld(row, nowMs)) return row.endsMs
      return [...row.line.values()].find((endsMs) => endsMs > nowMs)
    },
  }
}

function requireRequest(request: LeaseRequest, ttlMinMs: number, fifo: boolean): void {
  const { name, ttlMs, attemptId, holder = '', queueForMs } = request
  requireText('name', name, 512)
  requireText('attemptId', attemptId, 64)
  requireInteger('ttlMs', ttlMs, ttlMinMs, ttlMaxMs)
  requireLength('holder', holder, 200)
  if (fifo && queueForMs !== undefined) requireInteger('queueForMs', queueForMs, 1, 3_600_000)
}
