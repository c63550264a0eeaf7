/**
 * Watching is reading the history of changes again and again: from a place, in order, without gaps.
 * Between two reads the watcher sleeps until a hint, the end of the next session, or a slow poll.
 * Sessions that ran out are ended by whoever notices first.
 */
import { isHoldfastError } from '../../errors.ts'
import type { RegistryChange, RegistryEntry, WatchOptions } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile, SqlRow, SqlStatement } from '../../runtime/sql.ts'
import { bell } from './bell.ts'
import { type KeyRange, keyRange } from './key-range.ts'
import {
  entriesStatement,
  eventsStatement,
  standStatement,
  sweepStatements,
} from './registry-statements.ts'

/** Events read at once: bounds the memory of one watcher. */
const eventsPage = 500

export interface RegistryReading {
  readonly file: SqlFile
  readonly runtime: Runtime
  readonly namespace: string
  readonly topic: string
  readonly pollMs: number
}

/** Where the registry stood at one instant, with the rows that were asked for. */
export interface RegistryStand {
  readonly revision: bigint
  readonly compacted: bigint
  /** Monotonic time at which the next session ends, if nothing keeps it alive. */
  readonly nextEndMs: number | undefined
  readonly rows: readonly SqlRow[]
}

/**
 * Reads the stand and `statement` in one snapshot in which no session has run out. Usually that is a
 * read; when a session did run out, it is ended in the same batch.
 */
export async function readStand(
  { file, runtime, namespace, topic }: RegistryReading,
  statement: SqlStatement,
): Promise<RegistryStand> {
  const statements = [standStatement(namespace), statement]
  const nowMs = runtime.clock.monotonicMs()
  const quiet = standOf((await file.run({ statements, mode: 'read' })).results.slice(-2))
  if (quiet.nextEndMs === undefined || quiet.nextEndMs > nowMs) return quiet
  const { results } = await file.run({
    statements: [...sweepStatements(namespace, nowMs), ...statements],
    durability: 'relaxed',
    hints: [topic],
  })
  return standOf(results.slice(-2))
}

function standOf(results: readonly { readonly rows: readonly SqlRow[] }[]): RegistryStand {
  const row = results[0]?.rows[0]
  const nextEnd = row?.next_end ?? null
  return {
    revision: bigintOf(row?.revision),
    compacted: bigintOf(row?.compacted),
    nextEndMs: nextEnd === null ? undefined : Number(nextEnd),
    rows: results[1]?.rows ?? [],
  }
}

export async function* watchRegistry(
  reading: RegistryReading,
  prefix: string,
  { signal, fromRevision }: WatchOptions,
): AsyncGenerator<RegistryChange, void, undefined> {
  const { file, runtime, namespace, topic, pollMs } = reading
  const range = keyRange(prefix)
  const news = bell(runtime.timers)
  const stopListening = file.listen(topic, news.ring)
  let seen = fromRevision
  let failingSinceMs: number | undefined
  try {
    while (!signal.aborted) {
      const startedMs = runtime.clock.monotonicMs()
      const read = await readNext(reading, range, seen).catch((error: unknown) => {
        failingSinceMs ??= startedMs
        if (!passes(error) || runtime.clock.monotonicMs() - failingSinceMs > pollMs) throw error
        return undefined
      })
      if (signal.aborted) return
      if (read === undefined) {
        await news.wait(pollMs / 4, signal)
        continue
      }
      failingSinceMs = undefined
      for (const change of read.changes) {
        yield change
        if (change.kind === 'compacted' || signal.aborted) return
      }
      seen = read.seen
      if (!read.more) await news.wait(restMs(runtime, read.nextEndMs, pollMs), signal)
    }
  } finally {
    stopListening()
  }

  async function readNext(
    from: RegistryReading,
    keys: KeyRange,
    after: bigint | undefined,
  ): Promise<NextChanges> {
    return after === undefined
      ? snapshotChanges(await readStand(from, entriesStatement(namespace, keys)))
      : eventChanges(
          await readStand(from, eventsStatement(namespace, keys, { after, limit: eventsPage })),
          after,
        )
  }
}

interface NextChanges {
  readonly changes: readonly RegistryChange[]
  readonly seen: bigint
  readonly more: boolean
  readonly nextEndMs: number | undefined
}

function snapshotChanges({ revision, rows, nextEndMs }: RegistryStand): NextChanges {
  const entries = rows.map(entryOf)
  return {
    changes: [{ kind: 'snapshot', revision, entries }],
    seen: revision,
    more: false,
    nextEndMs,
  }
}

function eventChanges(stand: RegistryStand, after: bigint): NextChanges {
  const { revision, compacted, rows, nextEndMs } = stand
  // A place ahead of the history belongs to a history that a power cut took back.
  if (after < compacted || after > revision) {
    return { changes: [{ kind: 'compacted', revision }], seen: after, more: false, nextEndMs }
  }
  const more = rows.length === eventsPage
  const seen = more ? bigintOf(rows.at(-1)?.revision) : revision
  return { changes: rows.map(eventOf), seen, more, nextEndMs }
}

function eventOf(row: SqlRow): RegistryChange {
  const revision = bigintOf(row.revision)
  if (row.value !== null) return { kind: 'put', revision, entry: entryOf(row) }
  return {
    kind: 'removed',
    revision,
    key: String(row.key),
    sessionId: String(row.session),
    cause: row.cause === 'expired' ? 'expired' : 'deregistered',
  }
}

export function entryOf(row: SqlRow): RegistryEntry {
  return {
    key: String(row.key),
    value: String(row.value),
    sessionId: String(row.session),
    incarnation: bigintOf(row.incarnation),
    revision: bigintOf(row.revision),
  }
}

/** The column was read as `bigint`; anything else is a row that is not there. */
function bigintOf(value: unknown): bigint {
  return typeof value === 'bigint' ? value : 0n
}

/** Not all watchers should come at once for the same end of a session: the first does the work. */
function restMs(runtime: Runtime, nextEndMs: number | undefined, pollMs: number): number {
  const spread = runtime.random.fraction('registry-watch-poll')
  const poll = pollMs * (0.8 + 0.4 * spread)
  if (nextEndMs === undefined) return poll
  const untilEndMs = Math.max(0, nextEndMs - runtime.clock.monotonicMs())
  return Math.min(poll, untilEndMs + spread * Math.min(100, pollMs / 10))
}

/** Worth another try: the store was busy or out of reach, and nothing is wrong with it. */
function passes(error: unknown): boolean {
  return isHoldfastError(error) && error.outcome !== 'invalid' && error.code !== 'closed'
}
