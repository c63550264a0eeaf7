/**
 * A table of leases: who holds what until when, and who waits. It is told the time with each call and
 * reads no clock, so the same calls lead to the same table on every member; and it knows nothing of
 * processes, so each engine decides for itself what of it survives.
 */
import { LeaseLostError, LimitExceededError } from '../../../errors.ts'
import { requireInteger, requireLength, requireText } from '../../../ports/arguments.ts'
import { type LeaseInfo, type LeaseRequest, leaseDriftMargin } from '../../../ports/lease-store.ts'
import type { LeaseGrant, LeaseName } from '../link/remote-leases.ts'
import { type OrderedMap, orderedMap } from './ordered-map.ts'
import { timeIndex } from './time-index.ts'

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
  /** May a free name without a line be forgotten, because tokens do not grow from its last one? */
  readonly forgetsFree: boolean
  /** Names that are held or waited for. */
  readonly namesMax: number
  /** The token of the next lease of this name, larger than `last`. */
  nextToken(last: bigint): bigint
  /** The name was taken or freed, or its line moved. */
  changed(row: LeaseRow): void
  renewed?(row: LeaseRow): void
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
  /** Frees what has run out, and takes the dead from the heads of lines. */
  expire(nowMs: number): void
  /** When `expire` has something to do next. */
  firstEndMs(): number | undefined
  /** Gives every lease its whole time to live again. */
  extend(nowMs: number): void
  /** When the holder or the first in line ends next; `undefined` if the name is free and alone. */
  nextEndMs(name: string, nowMs: number): number | undefined
  /** Would it get the name if it asked now, or has it lost its place? */
  isTurn(name: string, attemptId: string, nowMs: number): boolean
  /** Puts a stored row back, without telling `changed`. */
  load(row: LeaseRow): void
  picture(): Iterable<LeaseRow>
  clear(): void
}

const ttlMaxMs = 86_400_000
export const lineMax: number = 1_000
const never = Number.NEGATIVE_INFINITY

export function leaseTable(options: LeaseTableOptions): LeaseTable {
  const { ttlMinMs, ttlStepMs, fifo, forgetsFree, namesMax, changed } = options
  const rows: OrderedMap<LeaseRow> = orderedMap()
  const ends = timeIndex()
  const rounded = (ttlMs: number): number => Math.ceil(ttlMs / ttlStepMs) * ttlStepMs
  const goodForMs = (row: LeaseRow, nowMs: number): number =>
    row.endsMs - nowMs - row.ttlMs * leaseDriftMargin

  function load(row: LeaseRow): void {
    const { name, attemptId, line } = row
    if (forgetsFree && attemptId === undefined && line.size === 0) {
      rows.delete(name)
      ends.put(name, undefined)
      return
    }
    rows.set(name, row)
    const [firstInLineEndsMs] = line.values()
    ends.put(name, attemptId === undefined ? firstInLineEndsMs : row.endsMs)
  }

  function store(row: LeaseRow): void {
    load(row)
    changed(row)
  }

  function heldBy({ name, token, attemptId }: LeaseName, nowMs: number): LeaseRow | undefined {
    const row = rows.get(name)
    if (row === undefined || !isHeld(row, nowMs)) return undefined
    return row.token === token && row.attemptId === attemptId ? row : undefined
  }

  function free({ attemptId: _, ...row }: LeaseRow): LeaseRow {
    return { ...row, endsMs: never }
  }

  function refused(row: LeaseRow, request: LeaseRequest, nowMs: number): undefined {
    const { name, attemptId, queueForMs } = request
    if (!fifo || queueForMs === undefined) return undefined
    const line = living(row.line, nowMs)
    if (line.size >= lineMax && !line.has(attemptId)) {
      throw new LimitExceededError(`${lineMax} already wait for "${name}"`)
    }
    store({ ...row, line: line.set(attemptId, nowMs + queueForMs) })
    return undefined
  }

  return {
    acquire(request, nowMs) {
      requireRequest(request, ttlMinMs, fifo)
      const { name, attemptId, holder = '' } = request
      const row = rows.get(name) ?? emptyRow(name)
      if (isHeld(row, nowMs) && row.attemptId === attemptId) {
        return { token: row.token, validForMs: goodForMs(row, nowMs) }
      }
      const line = living(row.line, nowMs)
      const [first] = line.keys()
      if (isHeld(row, nowMs) || (first !== undefined && first !== attemptId)) {
        return refused(row, request, nowMs)
      }
      if (rows.size >= namesMax && rows.get(name) === undefined) {
        throw new LimitExceededError(`${namesMax} names are held already`)
      }
      line.delete(attemptId)
      const ttlMs = rounded(request.ttlMs)
      const token = options.nextToken(row.token)
      const taken = { name, token, attemptId, holder, ttlMs, endsMs: nowMs + ttlMs, line }
      store(taken)
      return { token, validForMs: goodForMs(taken, nowMs) }
    },
    renew(lease, ttlMs, nowMs) {
      requireInteger('ttlMs', ttlMs, ttlMinMs, ttlMaxMs)
      const row = heldBy(lease, nowMs)
      if (row === undefined) {
        throw new LeaseLostError(`lease ${lease.token} of "${lease.name}" is gone`)
      }
      const wanted = rounded(ttlMs)
      if (nowMs + wanted <= row.endsMs) return goodForMs(row, nowMs)
      const longer = { ...row, ttlMs: wanted, endsMs: nowMs + wanted }
      load(longer)
      options.renewed?.(longer)
      return goodForMs(longer, nowMs)
    },
    release(lease, nowMs) {
      const row = heldBy(lease, nowMs)
      if (row !== undefined) store(free(row))
      return row !== undefined
    },
    withdraw(name, attemptId) {
      requireText('name', name, 512)
      const row = rows.get(name)
      if (row?.line.has(attemptId) !== true) return
      store({ ...row, line: new Map([...row.line].filter(([other]) => other !== attemptId)) })
    },
    list(prefix, { after = '', limit }, nowMs) {
      requireLength('prefix', prefix, 512)
      requireInteger('limit', limit, 1, 1_000)
      const infos: LeaseInfo[] = []
      for (const [name, row] of rows.from(after > prefix ? after : prefix)) {
        if (!name.startsWith(prefix) || infos.length === limit) break
        if (name > after && isHeld(row, nowMs)) infos.push(infoOf(row, nowMs))
      }
      return infos
    },
    evict(name, nowMs) {
      requireText('name', name, 512)
      const row = rows.get(name)
      if (row === undefined || !isHeld(row, nowMs)) return false
      store(free(row))
      return true
    },
    expire(nowMs) {
      for (const name of [...ends.until(nowMs)]) {
        const row = rows.get(name)
        if (row === undefined) continue
        const line = living(row.line, nowMs)
        store({ ...(isHeld(row, nowMs) ? row : free(row)), line })
      }
    },
    firstEndMs: () => ends.firstMs(),
    extend(nowMs) {
      for (const row of [...rows.picture()]) {
        if (row.attemptId === undefined) continue
        load({ ...row, endsMs: Math.max(row.endsMs, nowMs + row.ttlMs) })
      }
    },
    nextEndMs(name, nowMs) {
      const row = rows.get(name)
      if (row === undefined) return undefined
      if (isHeld(row, nowMs)) return row.endsMs
      return [...row.line.values()].find((endsMs) => endsMs > nowMs)
    },
    isTurn(name, attemptId, nowMs) {
      const row = rows.get(name)
      if (row === undefined) return true
      if (isHeld(row, nowMs)) return false
      const line = living(row.line, nowMs)
      const [first] = line.keys()
      return first === undefined || first === attemptId || !line.has(attemptId)
    },
    load,
    picture: () => rows.picture(),
    clear() {
      rows.clear()
      ends.clear()
    },
  }
}

function emptyRow(name: string): LeaseRow {
  return { name, token: 0n, holder: '', ttlMs: 0, endsMs: never, line: new Map() }
}

function isHeld(row: LeaseRow, nowMs: number): boolean {
  return row.attemptId !== undefined && row.endsMs > nowMs
}

/** A copy of the line without those whose place has run out. */
function living(line: ReadonlyMap<string, number>, nowMs: number): Map<string, number> {
  return new Map([...line].filter(([, endsMs]) => endsMs > nowMs))
}

function infoOf({ name, token, holder, endsMs, line }: LeaseRow, nowMs: number): LeaseInfo {
  const remainingMs = endsMs - nowMs
  return { name, token, holder, remainingMs, waiters: living(line, nowMs).size }
}

function requireRequest(request: LeaseRequest, ttlMinMs: number, fifo: boolean): void {
  const { name, ttlMs, attemptId, holder = '', queueForMs } = request
  requireText('name', name, 512)
  requireText('attemptId', attemptId, 64)
  requireInteger('ttlMs', ttlMs, ttlMinMs, ttlMaxMs)
  requireLength('holder', holder, 200)
  if (fifo && queueForMs !== undefined) requireInteger('queueForMs', queueForMs, 1, 3_600_000)
}
