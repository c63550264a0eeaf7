/**
 * The questions about records, in SQL. A write first moves the namespace's sequence and clock, then each
 * record is written under the condition its writer named; a condition that does not hold undoes the
 * whole batch, the sequence included.
 *
 * An expired record is absent from the instant it expires; the sweep only gives its space back.
 */
import type { RecordWrite } from '../../ports/record-store.ts'
import type { SqlStatement } from '../../runtime/sql.ts'
import { type ClockReading, clockAdvance, clockNow, clockParameters } from './due-clock.ts'

/** Time of a read: ?1 namespace, ?2 to ?4 the clock. A namespace never written to has no row. */
const readNow = `coalesce(
  (SELECT ${clockNow('?2', '?3', '?4')} FROM holdfast_record_sequence WHERE namespace = ?1), ?2)`
/** Time of a write, after the sequence has moved. */
const writeNow = '(SELECT clock_ms FROM holdfast_record_sequence WHERE namespace = ?1)'
const version = '(SELECT version FROM holdfast_record_sequence WHERE namespace = ?1)'
const living = (now: string): string => `(expires_ms IS NULL OR expires_ms > ${now})`

export interface RecordScope {
  readonly namespace: string
  readonly now: ClockReading
}

const scoped = ({ namespace, now }: RecordScope) => [namespace, ...clockParameters(now)] as const

/** Gives out `count` versions and remembers the time. */
export function sequenceStatement(scope: RecordScope, count: number): SqlStatement {
  return {
    sql: `INSERT INTO holdfast_record_sequence
        (namespace, version, clock_ms, clock_monotonic_ms, clock_boot)
      VALUES (?1, ?5, ?2, ?3, ?4)
      ON CONFLICT (namespace) DO UPDATE SET version = version + ?5,
        ${clockAdvance('?2', '?3', '?4')}`,
    parameters: [...scoped(scope), count],
  }
}

/** Twice what is written, so that the sweep wins over any rate of writing. */
export function sweepStatement({ namespace }: RecordScope, writes: number): SqlStatement {
  return {
    sql: `DELETE FROM holdfast_record WHERE place IN (
      SELECT place FROM holdfast_record
      WHERE namespace = ?1 AND expires_ms IS NOT NULL AND expires_ms <= ${writeNow}
      ORDER BY expires_ms, place LIMIT ?2 + 0)`,
    parameters: [namespace, 2 * writes + 8],
  }
}

// ?5 is how many versions of this batch come after this record's own.
const columns = `(namespace, space, key, value, version, due_ms, expires_ms)
  VALUES (?1, ?2, ?3, ?4, ${version} - ?5, ${writeNow} + ?6, ${writeNow} + ?7)`
const replaced = `value = excluded.value, version = excluded.version,
  due_ms = excluded.due_ms, expires_ms = excluded.expires_ms`

const CREATE = `INSERT INTO holdfast_record ${columns}
  ON CONFLICT (namespace, space, key) DO UPDATE SET ${replaced}
    WHERE NOT ${living(writeNow)}
  RETURNING version`
const OVERWRITE = `INSERT INTO holdfast_record ${columns}
  ON CONFLICT (namespace, space, key) DO UPDATE SET ${replaced}
  RETURNING version`
const REPLACE = `UPDATE holdfast_record SET value = ?4, version = ${version} - ?5,
    due_ms = ${writeNow} + ?6, expires_ms = ${writeNow} + ?7
  WHERE namespace = ?1 AND space = ?2 AND key = ?3 AND version = ?8 AND ${living(writeNow)}
  RETURNING version`

export function writeStatement(
  { namespace }: RecordScope,
  write: RecordWrite,
  versionsAfter: number,
): SqlStatement {
  const { space, key, value, expected, dueInMs = null, expiresInMs = null } = write
  const parameters = [namespace, space, key, value, versionsAfter, dueInMs, expiresInMs]
  const rules = { expect: 1, integers: 'bigint' } as const
  if (expected === 'absent') return { sql: CREATE, parameters, ...rules }
  if (expected === 'any') return { sql: OVERWRITE, parameters, ...rules }
  return { sql: REPLACE, parameters: [...parameters, expected], ...rules }
}

export function deleteStatement(
  scope: RecordScope,
  space: string,
  key: string,
  expected: bigint,
): SqlStatement {
  return {
    sql: `DELETE FROM holdfast_record
      WHERE namespace = ?1 AND space = ?5 AND key = ?6 AND version = ?7 AND ${living(readNow)}`,
    parameters: [...scoped(scope), space, key, expected],
  }
}

const found = `SELECT key, value, version, due_ms - ${readNow} AS due_in FROM holdfast_record`

export function getStatement(scope: RecordScope, space: string, key: string): SqlStatement {
  return {
    sql: `${found} WHERE namespace = ?1 AND space = ?5 AND key = ?6 AND ${living(readNow)}`,
    parameters: [...scoped(scope), space, key],
    integers: 'bigint',
  }
}

export function dueStatement(scope: RecordScope, space: string, limit: number): SqlStatement {
  return {
    sql: `${found} WHERE namespace = ?1 AND space = ?5
        AND due_ms IS NOT NULL AND due_ms <= ${readNow} AND ${living(readNow)}
      ORDER BY due_ms, key LIMIT ?6 + 0`,
    parameters: [...scoped(scope), space, limit],
    integers: 'bigint',
  }
}

/** When the earliest record of the space that is not yet due falls due. */
export function nextDueStatement(scope: RecordScope, space: string): SqlStatement {
  return {
    sql: `SELECT due_ms - ${readNow} AS due_in FROM holdfast_record
      WHERE namespace = ?1 AND space = ?5 AND due_ms IS NOT NULL AND due_ms > ${readNow}
      ORDER BY due_ms LIMIT 1`,
    parameters: [...scoped(scope), space],
  }
}

export function listStatement(
  scope: RecordScope,
  space: string,
  page: { readonly after?: string; readonly limit: number },
): SqlStatement {
  return {
    sql: `${found} WHERE namespace = ?1 AND space = ?5 AND key > ?6 AND ${living(readNow)}
      ORDER BY key LIMIT ?7 + 0`,
    parameters: [...scoped(scope), space, page.after ?? '', page.limit],
    integers: 'bigint',
  }
}

/** Past 64 bits SQLite would go on in floating point, so such a sum meets no row. */
export function incrementStatement(
  namespace: string,
  space: string,
  key: string,
  by: bigint,
): SqlStatement {
  return {
    sql: `INSERT INTO holdfast_record_counter AS counter (namespace, space, key, value)
      VALUES (?1, ?2, ?3, ?4)
      ON CONFLICT (namespace, space, key) DO UPDATE SET value = counter.value + excluded.value
        WHERE typeof(counter.value + excluded.value) = 'integer'
      RETURNING value`,
    parameters: [namespace, space, key, by],
    expect: 1,
    integers: 'bigint',
  }
}
