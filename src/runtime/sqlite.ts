/**
 * The smallest synchronous SQLite we need: one connection, prepared statements, positional values.
 * Each SQLite library is adapted to it once (`node/sqlite-library.ts`), so that the worker of the Node
 * runtime and the simulator run batches by the very same code (`sql-batch.ts`).
 *
 * Blocking is the point here: whoever holds a `SyncDatabase` owns a thread of its own or lives in
 * virtual time. Everyone else uses `SqlEngine`.
 */
import type { SqlRow, SqlValue } from './sql.ts'

export interface SyncDatabase {
  /** Runs a script without parameters and drops what it returns. @throws {SqliteFailure} */
  exec(sql: string): void
  /** @throws {SqliteFailure} the SQL does not parse, or names what does not exist. */
  prepare(sql: string): SyncStatement
  /** Rolls back an open transaction. Safe to repeat. */
  close(): void
}

export interface SyncStatement {
  /**
   * Runs to the end, so that no read transaction stays open behind it. The number of parameters must
   * be that of the statement, and each must be a `SqlValue` (not all libraries check).
   *
   * Integer columns always come back as `bigint` and blobs as plain `Uint8Array`: nothing is lost
   * here. Of two columns with one name the last wins.
   * @throws {SqliteFailure}
   */
  run(parameters: readonly SqlValue[]): SyncResult
}

export interface SyncResult {
  readonly rows: readonly SqlRow[]
  /** Rows this statement inserted, updated or deleted itself; not those of its triggers. */
  readonly changes: number
}

/** An error of SQLite itself, with its extended result code: the low eight bits are the kind. */
export class SqliteFailure extends Error {
  override readonly name = 'SqliteFailure'
  readonly resultCode: number

  constructor(resultCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.resultCode = resultCode
  }
}

/** The result codes that are told apart here, from https://sqlite.org/rescode.html. */
export const sqliteCodes = {
  error: 1,
  busy: 5,
  locked: 6,
  noMemory: 7,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  protocol: 15,
  schema: 17,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  misuse: 21,
  range: 25,
  notDatabase: 26,
  /** Extended: a write failed part way, for another reason than a full disk. */
  ioErrorWrite: 778,
} as const
