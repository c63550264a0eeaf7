/** Records in the memory of a model. One counter of versions for all keys, so none ever repeats. */
import { InvalidArgumentError } from '../../../errors.ts'
import { requireInteger, requireLength, requireText } from '../../../ports/arguments.ts'
import type { RecordWrite, StoredRecord } from '../../../ports/record-store.ts'

interface Row {
  readonly key: string
  readonly value: string
  readonly version: bigint
  readonly dueMs: number | undefined
  readonly endsMs: number
}

export interface RecordTable {
  get(space: string, key: string, nowMs: number): StoredRecord | undefined
  putAll(writes: readonly RecordWrite[], nowMs: number): readonly bigint[] | undefined
  delete(space: string, key: string, expected: bigint, nowMs: number): boolean
  due(space: string, limit: number, nowMs: number): readonly StoredRecord[]
  list(
    space: string,
    page: { readonly after?: string; readonly limit: number },
    nowMs: number,
  ): readonly StoredRecord[]
  increment(space: string, key: string, by: bigint): bigint
}

const int64Max = 2n ** 63n - 1n
const yearsMs = 100 * 366 * 86_400_000

/** @param nextVersion larger with each call. @param wrote told once per space that was written. */
export function recordTable(
  nextVersion: () => bigint,
  wrote: (space: string) => void,
): RecordTable {
  const spaces = new Map<string, Map<string, Row>>()
  const sums = new Map<string, bigint>()
  const rowsOf = (space: string): Map<string, Row> => spaces.get(space) ?? new Map<string, Row>()
  const living = (space: string, nowMs: number): Row[] =>
    [...rowsOf(space).values()].filter(({ endsMs }) => endsMs > nowMs)

  function rowOf(space: string, key: string, nowMs: number): Row | undefined {
    requirePlace(space, key)
    const row = rowsOf(space).get(key)
    return row !== undefined && row.endsMs > nowMs ? row : undefined
  }
  const shown = ({ key, value, version, dueMs }: Row, nowMs: number): StoredRecord => ({
    key,
    value,
    version,
    ...(dueMs === undefined ? {} : { dueInMs: dueMs - nowMs }),
  })
  function meets({ space, key, expected }: RecordWrite, nowMs: number): boolean {
    const row = rowOf(space, key, nowMs)
    if (expected === 'any') return true
    return expected === 'absent' ? row === undefined : row?.version === expected
  }
  function store(write: RecordWrite, nowMs: number): bigint {
    const { space, key, value, dueInMs, expiresInMs } = write
    const rows = rowsOf(space)
    spaces.set(space, rows)
    const version = nextVersion()
    const dueMs = dueInMs === undefined ? undefined : nowMs + dueInMs
    const endsMs = expiresInMs === undefined ? Number.POSITIVE_INFINITY : nowMs + expiresInMs
    rows.set(key, { key, value, version, dueMs, endsMs })
    return version
  }

  return {
    get(space, key, nowMs) {
      const row = rowOf(space, key, nowMs)
      return row && shown(row, nowMs)
    },
    putAll(writes, nowMs) {
      requireWrites(writes)
      if (!writes.every((write) => meets(write, nowMs))) return undefined
      const versions = writes.map((write) => store(write, nowMs))
      for (const space of new Set(writes.map((write) => write.space))) wrote(space)
      return versions
    },
    delete(space, key, expected, nowMs) {
      if (rowOf(space, key, nowMs)?.version !== expected) return false
      rowsOf(space).delete(key)
      wrote(space)
      return true
    },
    due(space, limit, nowMs) {
      requireText('space', space, 100)
      requireInteger('limit', limit, 1, 1_000)
      return living(space, nowMs)
        .flatMap((row) => (row.dueMs === undefined ? [] : [{ row, dueMs: row.dueMs }]))
        .filter(({ dueMs }) => dueMs <= nowMs)
        .sort((one, other) => one.dueMs - other.dueMs || order(one.row, other.row))
        .slice(0, limit)
        .map(({ row }) => shown(row, nowMs))
    },
    list(space, { after = '', limit }, nowMs) {
      requireText('space', space, 100)
      requireInteger('limit', limit, 1, 1_000)
      return living(space, nowMs)
        .filter(({ key }) => key > after)
        .sort(order)
        .slice(0, limit)
        .map((row) => shown(row, nowMs))
    },
    increment(space, key, by) {
      requirePlace(space, key)
      const place = JSON.stringify([space, key])
      const sum = (sums.get(place) ?? 0n) + by
      if (sum > int64Max || sum < -int64Max - 1n) {
        throw new InvalidArgumentError(`adding ${by} to "${key}" leaves the range of 64 bits`)
      }
      sums.set(place, sum)
      wrote(space)
      return sum
    },
  }
}

function order(one: Row, other: Row): number {
  return one.key < other.key ? -1 : 1
}

function requirePlace(space: string, key: string): void {
  requireText('space', space, 100)
  requireText('key', key, 512)
}

function requireWrites(writes: readonly RecordWrite[]): void {
  requireInteger('the number of writes', writes.length, 1, 100)
  const places = new Set(writes.map(({ space, key }) => JSON.stringify([space, key])))
  if (places.size < writes.length) {
    throw new InvalidArgumentError('one record is written twice in one call')
  }
  for (const { space, key, value, dueInMs, expiresInMs } of writes) {
    requirePlace(space, key)
    requireLength('value', value, 1_048_576)
    if (dueInMs !== undefined) requireInteger('dueInMs', dueInMs, 0, yearsMs)
    if (expiresInMs !== undefined) requireInteger('expiresInMs', expiresInMs, 0, yearsMs)
  }
}
