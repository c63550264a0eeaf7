/**
 * Records: small documents by key and version, and counters beside them. One counter of versions for all
 * keys, so none ever repeats. Told the time, like the table of leases.
 */
import { InvalidArgumentError, LimitExceededError } from '../../../errors.ts'
import { requireInteger, requireLength, requireText } from '../../../ports/arguments.ts'
import type { RecordWrite, StoredRecord } from '../../../ports/record-store.ts'
import { type OrderedMap, orderedMap } from './ordered-map.ts'
import { type TimeIndex, timeIndex } from './time-index.ts'

export interface RecordRow {
  readonly key: string
  readonly value: string
  readonly version: bigint
  readonly dueMs?: number
  readonly endsMs?: number
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
  /** Deletes what has run out. */
  expire(nowMs: number): void
  /** When a record ends or comes due next, after `nowMs`. */
  nextMomentMs(nowMs: number): number | undefined
  picture(): RecordsPicture
  load(picture: RecordsPicture): void
}

/** All of it as it is now; later changes do not show in it. */
export interface RecordsPicture {
  readonly spaces: Iterable<{
    readonly space: string
    readonly rows: Iterable<RecordRow>
    readonly sums: Iterable<CounterRow>
  }>
}

export interface CounterRow {
  readonly key: string
  readonly sum: bigint
}

export interface RecordTableOptions {
  /** Records and counters, of all spaces. */
  readonly rowsMax: number
  /** Larger with each call. */
  nextVersion(): bigint
  /** Told once per space that was written. */
  wrote(space: string): void
}

interface Space {
  readonly rows: OrderedMap<RecordRow>
  readonly sums: OrderedMap<CounterRow>
  readonly due: TimeIndex
  readonly ends: TimeIndex
}

const int64Max = 2n ** 63n - 1n
const yearsMs = 100 * 366 * 86_400_000

export function recordTable(options: RecordTableOptions): RecordTable {
  const { rowsMax, nextVersion, wrote } = options
  const spaces: OrderedMap<Space> = orderedMap()
  let size = 0
  const spaceOf = (space: string): Space => {
    const known = spaces.get(space)
    if (known !== undefined) return known
    const made = { rows: orderedMap(), sums: orderedMap(), due: timeIndex(), ends: timeIndex() }
    spaces.set(space, made as Space)
    return made as Space
  }

  function rowOf(space: string, key: string, nowMs: number): RecordRow | undefined {
    requirePlace(space, key)
    const row = spaces.get(space)?.rows.get(key)
    return row !== undefined && lives(row, nowMs) ? row : undefined
  }
  function keep(into: Space, row: RecordRow): void {
    const before = into.rows.size
    into.rows.set(row.key, row)
    into.due.put(row.key, row.dueMs)
    into.ends.put(row.key, row.endsMs)
    size += into.rows.size - before
  }
  function remove(from: Space, key: string): void {
    if (from.rows.delete(key)) size -= 1
    from.due.put(key, undefined)
    from.ends.put(key, undefined)
  }
  function meets({ space, key, expected }: RecordWrite, nowMs: number): boolean {
    const row = rowOf(space, key, nowMs)
    if (expected === 'any') return true
    return expected === 'absent' ? row === undefined : row?.version === expected
  }
  function store(write: RecordWrite, nowMs: number): bigint {
    const { space, key, value, dueInMs, expiresInMs } = write
    const version = nextVersion()
    keep(spaceOf(space), {
      key,
      value,
      version,
      ...(dueInMs === undefined ? {} : { dueMs: nowMs + dueInMs }),
      ...(expiresInMs === undefined ? {} : { endsMs: nowMs + expiresInMs }),
    })
    return version
  }
  function requireRoom(more: number): void {
    if (size + more > rowsMax) throw new LimitExceededError(`${size} records of ${rowsMax}`)
  }

  return {
    get(space, key, nowMs) {
      const row = rowOf(space, key, nowMs)
      return row && shown(row, nowMs)
    },
    putAll(writes, nowMs) {
      requireWrites(writes)
      if (!writes.every((write) => meets(write, nowMs))) return undefined
      requireRoom(writes.filter(({ space, key }) => rowOf(space, key, nowMs) === undefined).length)
      const versions = writes.map((write) => store(write, nowMs))
      for (const space of new Set(writes.map((write) => write.space))) wrote(space)
      return versions
    },
    delete(space, key, expected, nowMs) {
      if (rowOf(space, key, nowMs)?.version !== expected) return false
      remove(spaceOf(space), key)
      wrote(space)
      return true
    },
    due(space, limit, nowMs) {
      requireText('space', space, 100)
      requireInteger('limit', limit, 1, 1_000)
      const found: StoredRecord[] = []
      const { rows, due } = spaces.get(space) ?? { rows: undefined, due: undefined }
      for (const key of due?.until(nowMs) ?? []) {
        const row = rows?.get(key)
        if (row !== undefined && lives(row, nowMs)) found.push(shown(row, nowMs))
        if (found.length === limit) break
      }
      return found
    },
    list(space, { after, limit }, nowMs) {
      requireText('space', space, 100)
      requireInteger('limit', limit, 1, 1_000)
      const found: StoredRecord[] = []
      for (const [key, row] of spaces.get(space)?.rows.from(after ?? '') ?? []) {
        if (key !== after && lives(row, nowMs)) found.push(shown(row, nowMs))
        if (found.length === limit) break
      }
      return found
    },
    increment(space, key, by) {
      requirePlace(space, key)
      const { sums } = spaceOf(space)
      const before = sums.get(key)
      if (before === undefined) requireRoom(1)
      const sum = (before?.sum ?? 0n) + by
      if (sum > int64Max || sum < -int64Max - 1n) {
        throw new InvalidArgumentError(`adding ${by} to "${key}" leaves the range of 64 bits`)
      }
      if (before === undefined) size += 1
      sums.set(key, { key, sum })
      wrote(space)
      return sum
    },
    expire(nowMs) {
      for (const [, space] of spaces.from('')) {
        for (const key of [...space.ends.until(nowMs)]) remove(space, key)
      }
    },
    nextMomentMs(nowMs) {
      let next: number | undefined
      for (const [, { due, ends }] of spaces.from('')) {
        for (const atMs of [due.nextAfter(nowMs), ends.nextAfter(nowMs)]) {
          if (atMs !== undefined && (next === undefined || atMs < next)) next = atMs
        }
      }
      return next
    },
    picture: () => ({
      spaces: [...spaces.from('')].map(([space, { rows, sums }]) => {
        return { space, rows: rows.picture(), sums: sums.picture() }
      }),
    }),
    load(picture) {
      spaces.clear()
      size = 0
      for (const { space, rows, sums } of picture.spaces) {
        const into = spaceOf(space)
        for (const row of rows) keep(into, row)
        for (const counter of sums) {
          into.sums.set(counter.key, counter)
          size += 1
        }
      }
    },
  }
}

function lives({ endsMs }: RecordRow, nowMs: number): boolean {
  return endsMs === undefined || endsMs > nowMs
}

function shown({ key, value, version, dueMs }: RecordRow, nowMs: number): StoredRecord {
  return { key, value, version, ...(dueMs === undefined ? {} : { dueInMs: dueMs - nowMs }) }
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
