/**
 * One batch, run in full on one connection: that is all the transaction logic there is. The worker of
 * the Node runtime and the simulator both call this, so what a batch means does not depend on where it
 * runs.
 *
 * A batch lives in a savepoint of a transaction that somebody else opened and will commit. Its refusal
 * or failure is undone here and leaves the neighbours in the same transaction alone. The one exception
 * is said aloud: some errors (disk full, an I/O error, RAISE(ROLLBACK)) make SQLite drop the whole
 * transaction, and then `transactionLost` is true and the caller must start again.
 */
import { type HoldfastError, InvalidArgumentError } from '../errors.ts'
import type { SqlBatch, SqlOutcome, SqlResult, SqlRow, SqlStatement, SqlValue } from './sql.ts'
import { sqlFailure } from './sql-failure.ts'
import { onlyReads, parameterCount } from './sql-text.ts'
import { SqliteFailure, type SyncDatabase, type SyncStatement, sqliteCodes } from './sqlite.ts'

export type BatchVerdict =
  /** Took effect, in the open transaction. */
  | { readonly kind: 'applied'; readonly outcome: SqlOutcome }
  /** An expectation was not met, and the batch was undone. */
  | { readonly kind: 'refused'; readonly outcome: SqlOutcome }
  | {
      readonly kind: 'failed'
      readonly error: HoldfastError
      /** The transaction around the batch is gone, with all that ran in it before. */
      readonly transactionLost: boolean
    }

export interface BatchRunner {
  /**
   * Runs a batch that `requireBatch` has accepted. The caller has opened a transaction (`BEGIN
   * IMMEDIATE` for a write); a read may also run in the middle of a write transaction.
   */
  run(batch: SqlBatch): BatchVerdict
}

/** Prepared statements kept per connection, the least recently used dropped first. */
export const statementsCachedMax: number = 500

export function batchRunner(database: SyncDatabase): BatchRunner {
  const prepared = statementCache(database)

  function runStatements(batch: SqlBatch): SqlOutcome {
    const results: SqlResult[] = []
    for (const [index, statement] of batch.statements.entries()) {
      const { entry, sync, writes } = prepared(statement.sql)
      const parameters = statement.parameters ?? []
      if (parameters.length !== entry) throw wrongCount(index, parameters.length, entry)
      // Not `PRAGMA query_only`: each switch of it makes SQLite prepare all statements again.
      if (writes && batch.mode === 'read') {
        throw new SqliteFailure(sqliteCodes.readOnly, `statement ${index} writes`)
      }
      const { rows, changes } = sync.run(parameters.map(bound))
      const result = { rows: convert(rows, statement), changes }
      results.push(result)
      const met = rows.length > 0 ? rows.length : changes
      if (statement.expect !== undefined && met !== statement.expect) {
        return { results, refusedAt: index }
      }
    }
    return { results }
  }

  function undo(): boolean {
    try {
      database.exec('ROLLBACK TO holdfast_batch')
      database.exec('RELEASE holdfast_batch')
      return true
    } catch {
      return false // no such savepoint: SQLite has already rolled back everything
    }
  }

  function write(batch: SqlBatch): BatchVerdict {
    try {
      database.exec('SAVEPOINT holdfast_batch')
      const outcome = runStatements(batch)
      if (outcome.refusedAt === undefined) {
        database.exec('RELEASE holdfast_batch')
        return { kind: 'applied', outcome }
      }
      if (undo()) return { kind: 'refused', outcome }
      throw new InvalidArgumentError('the batch ended the transaction around it')
    } catch (cause) {
      return { kind: 'failed', error: sqlFailure(cause), transactionLost: !undo() }
    }
  }

  function read(batch: SqlBatch): BatchVerdict {
    try {
      const outcome = runStatements(batch)
      return { kind: outcome.refusedAt === undefined ? 'applied' : 'refused', outcome }
    } catch (cause) {
      return { kind: 'failed', error: sqlFailure(cause), transactionLost: false }
    }
  }

  return { run: (batch) => (batch.mode === 'read' ? read(batch) : write(batch)) }
}

interface Prepared {
  readonly entry: number
  readonly sync: SyncStatement
  readonly writes: boolean
}

/** A cached statement stays prepared over schema changes: SQLite prepares it again by itself. */
function statementCache(database: SyncDatabase): (sql: string) => Prepared {
  const cache = new Map<string, Prepared>()
  return (sql) => {
    const known = cache.get(sql)
    if (known) {
      cache.delete(sql)
      cache.set(sql, known)
      return known
    }
    const made: Prepared = {
      entry: parameterCount(sql),
      sync: database.prepare(sql),
      writes: !onlyReads(sql),
    }
    cache.set(sql, made)
    if (cache.size > statementsCachedMax) {
      for (const oldest of cache.keys()) {
        cache.delete(oldest)
        break
      }
    }
    return made
  }
}

/** Whole numbers are bound as integers: a library left alone would store 1 as 1.0. */
function bound(value: SqlValue): SqlValue {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value
}

function convert(rows: readonly SqlRow[], statement: SqlStatement): readonly SqlRow[] {
  if (statement.integers === 'bigint') return rows
  return rows.map((row) => {
    const converted: Record<string, SqlValue> = {}
    for (const [column, value] of Object.entries(row)) {
      converted[column] = typeof value === 'bigint' ? toNumber(column, value) : value
    }
    return converted
  })
}

const safeMax = BigInt(Number.MAX_SAFE_INTEGER)

function toNumber(column: string, value: bigint): number {
  if (value <= safeMax && value >= -safeMax) return Number(value)
  throw new InvalidArgumentError(
    `column "${column}" holds ${value}, which a number cannot; ask for integers: 'bigint'`,
    { details: { column, value: String(value) } },
  )
}

function wrongCount(index: number, got: number, expected: number): InvalidArgumentError {
  return new InvalidArgumentError(
    `statement ${index} has ${expected} parameters, ${got} were given`,
    { details: { statement: index, expected, got } },
  )
}
