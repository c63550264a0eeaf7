/**
 * Records in one SQLite file. The file has one writer at a time, so "if nobody wrote since I looked" is
 * a condition in the statement that writes, and several records change together because they are in
 * one batch.
 *
 * Full durability: a write that returned survives a power cut. Relaxed: a power cut may take the last
 * writes, and their versions are then given out again. Use relaxed only if nobody on another machine
 * keeps a version.
 */
import { InvalidArgumentError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import { requireInteger } from '../../ports/arguments.ts'
import type { RecordStore, RecordWrite, StoredRecord } from '../../ports/record-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile, SqlOutcome, SqlRow, SqlStatement } from '../../runtime/sql.ts'
import { dueClock } from './due-clock.ts'
import { requireName, requireNoNul } from './names.ts'
import {
  deleteStatement,
  dueStatement,
  getStatement,
  incrementStatement,
  listStatement,
  nextDueStatement,
  type RecordScope,
  sequenceStatement,
  sweepStatement,
  writeStatement,
} from './record-statements.ts'
import { topicOf } from './topic.ts'
import { wakeups } from './wakeups.ts'

export interface EmbeddedRecordOptions {
  readonly namespace: string
  /** How often a watched space is looked at without a hint. */
  readonly pollMs: number
  readonly durability: 'full' | 'relaxed'
  readonly observer: Observer
}

/** A record store with a lifetime: `stop` ends its watches and timers. */
export interface EmbeddedRecordStore extends RecordStore {
  stop(): void
}

const durabilityOf = {
  full: 'survives a power cut once the call returned',
  relaxed: 'survives the death of the process; a power cut may take the last writes',
} as const

export function embeddedRecordStore(
  file: SqlFile,
  runtime: Runtime,
  { namespace, pollMs, durability, observer }: EmbeddedRecordOptions,
): EmbeddedRecordStore {
  const now = dueClock(runtime.clock)
  const scope = (): RecordScope => ({ namespace, now: now() })
  const topic = (space: string): string => topicOf('records', namespace, space)
  const wakes = wakeups(file, runtime, pollMs)

  const write = (statements: readonly SqlStatement[], spaces: readonly string[]) =>
    file.run({ statements, durability, hints: [...new Set(spaces.map(topic))].slice(0, 64) })
  const read = (...statements: readonly SqlStatement[]): Promise<SqlOutcome> =>
    file.run({ statements, mode: 'read' })

  async function putAll(writes: readonly RecordWrite[]): Promise<readonly bigint[] | undefined> {
    requireWrites(writes)
    const here = scope()
    const statements = [
      sequenceStatement(here, writes.length),
      sweepStatement(here, writes.length),
      ...writes.map((one, index) => writeStatement(here, one, writes.length - 1 - index)),
    ]
    const { results, refusedAt } = await write(
      statements,
      writes.map(({ space }) => space),
    )
    if (refusedAt !== undefined) return undefined
    const swept = results[1]?.changes ?? 0
    if (swept > 0) observer.count('recordsExpired', {}, swept)
    return results.slice(2).map(({ rows }) => versionOf(rows[0]))
  }

  return {
    capabilities: { sharesUserTransaction: false, durability: durabilityOf[durability] },

    async get(space, key) {
      requirePlace(space, key)
      const { results } = await read(getStatement(scope(), space, key))
      return results[0]?.rows.map(storedRecord)[0]
    },
    async put(one) {
      return (await putAll([one]))?.[0]
    },
    putAll,
    async delete(space, key, expected) {
      requirePlace(space, key)
      const { results } = await write([deleteStatement(scope(), space, key, expected)], [space])
      return results[0]?.changes === 1
    },
    async due(space, limit) {
      requireName('space', space, 100)
      requireInteger('limit', limit, 1, 1_000)
      const here = scope()
      const { results } = await read(
        dueStatement(here, space, limit),
        nextDueStatement(here, space),
      )
      const next = results[1]?.rows[0]?.due_in
      if (typeof next === 'number') wakes.alarm(topic(space), next)
      return results[0]?.rows.map(storedRecord) ?? []
    },
    async list(space, page) {
      requireName('space', space, 100)
      requireInteger('limit', page.limit, 1, 1_000)
      const { results } = await read(listStatement(scope(), space, page))
      return results[0]?.rows.map(storedRecord) ?? []
    },
    async increment(space, key, by) {
      requirePlace(space, key)
      const outcome = await write([incrementStatement(namespace, space, key, by)], [space])
      const sum = outcome.results[0]?.rows[0]?.value
      if (outcome.refusedAt === undefined && typeof sum === 'bigint') return sum
      throw new InvalidArgumentError(`adding ${by} to "${key}" leaves the range of 64 bits`)
    },
    watch(space, wake) {
      requireName('space', space, 100)
      return wakes.watch(topic(space), wake)
    },
    stop: wakes.stop,
  }
}

function versionOf(row: SqlRow | undefined): bigint {
  return BigInt(String(row?.version))
}

function storedRecord(row: SqlRow): StoredRecord {
  return {
    key: String(row.key),
    value: String(row.value),
    version: versionOf(row),
    ...(row.due_in == null ? {} : { dueInMs: Number(row.due_in) }),
  }
}

const yearsMs = 100 * 366 * 86_400_000

function requirePlace(space: string, key: string): void {
  requireName('space', space, 100)
  requireName('key', key, 512)
}

function requireWrites(writes: readonly RecordWrite[]): void {
  requireInteger('the number of writes', writes.length, 1, 100)
  const places = new Set<string>()
  for (const { space, key, value, dueInMs, expiresInMs } of writes) {
    requirePlace(space, key)
    const place = JSON.stringify([space, key])
    if (places.has(place)) {
      throw new InvalidArgumentError(`"${key}" of "${space}" is written twice in one call`)
    }
    places.add(place)
    requireValue(value)
    if (dueInMs !== undefined) requireInteger('dueInMs', dueInMs, 0, yearsMs)
    if (expiresInMs !== undefined) requireInteger('expiresInMs', expiresInMs, 0, yearsMs)
  }
}

const valueLengthMax = 1_048_576

function requireValue(value: string): void {
  if (typeof value !== 'string' || value.length > valueLengthMax) {
    const got = typeof value === 'string' ? `${value.length} characters long` : `a ${typeof value}`
    throw new InvalidArgumentError(
      `value is ${got}; expected at most ${valueLengthMax} characters of JSON`,
    )
  }
  requireNoNul('value', value)
  if (value.isWellFormed()) return
  throw new InvalidArgumentError('value has half a surrogate pair; expected valid Unicode')
}
