/**
 * An effect and the note that it happened, in one batch: either both are there or neither, so a message
 * that comes twice finds the note and changes nothing. The note goes in first and by insertion, never
 * "look, then insert": two deliveries at the same instant would both look and see nothing.
 */
import { CapabilityMissingError, CorruptDataError, InvalidArgumentError } from '../errors.ts'
import { requireText } from '../ports/arguments.ts'
import type { SqlDatabase } from '../ports/sql-database.ts'
import type { SqlOutcome, SqlStatement } from '../runtime/sql.ts'
import { canonicalJson } from './canonical.ts'

/**
 * The migration that makes the table; a name of your own goes to `effectTables(name)`.
 * `at_ms` is the caller's wall clock and serves retention only.
 */
export const effectOnceTables: string = effectTables('holdfast_effects')

const defaultTable = 'holdfast_effects'
const resultLengthMax = 65_536

/** @throws {InvalidArgumentError} not a plain SQL name. */
export function effectTables(table: string): string {
  requireTable(table)
  return `
    CREATE TABLE ${table} (
      scope  VARCHAR(200) NOT NULL,
      id     VARCHAR(400) NOT NULL,
      state  VARCHAR(10) NOT NULL,
      result TEXT NOT NULL,
      at_ms  BIGINT NOT NULL,
      PRIMARY KEY (scope, id)
    );
    CREATE INDEX ${table}_at ON ${table} (at_ms);`
}

/** `undone`: undone after it was applied, or before, and then the original is refused for ever. */
export type EffectState = 'applied' | 'refused' | 'undone'

export interface EffectKey {
  /** Default `holdfast_effects`. */
  readonly table?: string
  /** Who deduplicates: a consumer group, a participant. 1 to 200 characters. */
  readonly scope: string
  /** The message, request or step. 1 to 400 characters. */
  readonly id: string
  /** Wall time to note, for `purge`. Default 0: purge by other means. */
  readonly atMs?: number
}

export interface EffectOnceOptions extends EffectKey {
  /** JSON to keep with the note, so that a duplicate can be given the first answer. */
  readonly result?: unknown
  /**
   * A statement did not meet its `expect`: should that be remembered, so that a repeat gets the same
   * refusal even if it would now succeed? Default: no trace, a repeat tries again.
   */
  readonly onRefused?: { readonly result: unknown }
}

export type EffectOnce =
  | { readonly applied: true; readonly outcome: SqlOutcome; readonly result: unknown }
  | {
      readonly applied: false
      /** `duplicate`: applied before. `refused`: an expectation was not met, now or the first time. */
      readonly reason: 'duplicate' | 'refused' | 'undone'
      readonly result: unknown
      /** Of the caller's statements; there if the refusal is fresh. */
      readonly refusedAt?: number
    }

/**
 * Applies the statements unless this id was noted before. Errors as in `SqlDatabase.run`; after an
 * unknown outcome call it again with the same id.
 */
export async function effectOnce(
  db: SqlDatabase,
  options: EffectOnceOptions,
  statements: readonly SqlStatement[],
): Promise<EffectOnce> {
  const { result = null, onRefused } = options
  const notes = effectNotes(db, options)
  const outcome = await db.run({ statements: [notes.insert('applied', result), ...statements] })
  if (outcome.refusedAt === undefined) {
    return { applied: true, outcome: { results: outcome.results.slice(1) }, result }
  }
  if (outcome.refusedAt > 0) {
    const refusedAt = outcome.refusedAt - 1
    if (onRefused === undefined)
      return { applied: false, reason: 'refused', result: null, refusedAt }
    const noted = await db.run({ statements: [notes.insert('refused', onRefused.result)] })
    if (noted.refusedAt === undefined) {
      return { applied: false, reason: 'refused', result: onRefused.result, refusedAt }
    }
  }
  const first = await notes.read()
  if (first === undefined) {
    throw new CorruptDataError(`the note of "${options.id}" vanished while it was read`)
  }
  const reason = first.state === 'applied' ? 'duplicate' : first.state
  return { applied: false, reason, result: first.result }
}

export interface EffectNotes {
  /** Expects one row: refuses the batch if there is a note already. */
  insert(state: EffectState, result: unknown): SqlStatement
  /** Expects one row: refuses the batch unless the note says `from`. */
  change(from: EffectState, to: EffectState): SqlStatement
  read(): Promise<{ readonly state: EffectState; readonly result: unknown } | undefined>
}

export function effectNotes(db: SqlDatabase, key: EffectKey): EffectNotes {
  const { table = defaultTable, scope, id, atMs = 0 } = key
  if (db.dialect === 'mysql') {
    throw new CapabilityMissingError('effectOnce needs ON CONFLICT DO NOTHING, which MySQL lacks')
  }
  requireTable(table)
  requireText('scope', scope, 200)
  requireText('id', id, 400)
  return {
    insert: (state, result) => ({
      sql: `INSERT INTO ${table} (scope, id, state, result, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO NOTHING`,
      parameters: [scope, id, state, canonicalJson('result', result, resultLengthMax), atMs],
      expect: 1,
    }),
    change: (from, to) => ({
      sql: `UPDATE ${table} SET state = ?1 WHERE scope = ?2 AND id = ?3 AND state = ?4`,
      parameters: [to, scope, id, from],
      expect: 1,
    }),
    async read() {
      const sql = `SELECT state, result FROM ${table} WHERE scope = ?1 AND id = ?2`
      const statements = [{ sql, parameters: [scope, id] }]
      const { results } = await db.run({ mode: 'read', statements })
      const row = results[0]?.rows[0]
      if (row === undefined) return undefined
      return { state: stateOf(row.state), result: JSON.parse(String(row.result)) }
    },
  }
}

/**
 * Forgets notes older than `beforeMs`, at most `limit` at a time (1 to 10_000). Keep them longer than the
 * latest repeat can come: queue retention, redrives and the saga's own `retainMs` included.
 * @returns how many were forgotten; repeat while it equals `limit`.
 */
export async function purgeEffects(
  db: SqlDatabase,
  { table = defaultTable, beforeMs, limit }: { table?: string; beforeMs: number; limit: number },
): Promise<number> {
  requireTable(table)
  const sql = `DELETE FROM ${table} WHERE (scope, id) IN
    (SELECT scope, id FROM ${table} WHERE at_ms < ?1 ORDER BY at_ms, scope, id LIMIT ?2)`
  const { results } = await db.run({ statements: [{ sql, parameters: [beforeMs, limit] }] })
  return results[0]?.changes ?? 0
}

function stateOf(value: unknown): EffectState {
  if (value === 'applied' || value === 'refused' || value === 'undone') return value
  throw new CorruptDataError(`an effect is noted as ${JSON.stringify(value)}`)
}

function requireTable(table: string): void {
  if (/^[A-Za-z_][A-Za-z0-9_]{0,60}$/.test(table)) return
  throw new InvalidArgumentError(`table is "${table}"; expected a plain SQL name`)
}
