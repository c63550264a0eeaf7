/**
 * SqlEngine is SQLite behind an asynchronous door. A batch goes in whole and its results come out, so
 * no transaction ever spans an `await`: nobody can hold the write lock while their event loop is busy
 * or their process is stopped by a debugger.
 *
 * A batch is atomic. Several batches may share one commit (group commit), each in its own savepoint,
 * so one that is refused or fails does not touch its neighbours. Batches that one process sends to one
 * file run in the order sent.
 *
 * What a batch cannot do is look at a result and decide in JavaScript. It decides in SQL: with a
 * `WHERE`, with an upsert, and with `expect`, which undoes the whole batch unless the statement met
 * exactly that many rows.
 */
export interface SqlEngine {
  /**
   * Opens the file, creating it if absent, and brings it to the latest migration.
   * @throws {ConfigurationError} network file system, folder missing, or no SQLite for this Node
   * (the message names the package to install).
   * @throws {CorruptDataError} not an SQLite file, or damaged.
   * @throws {FormatTooNewError} written by a newer set of migrations.
   * @throws {StoreBusyError} another process kept the write lock for `busyMs`.
   */
  open(options: SqlOpenOptions): Promise<SqlFile>
}

export interface SqlOpenOptions {
  readonly path: string
  /**
   * SQL scripts, applied in order, each once, in one transaction. The number applied is kept in
   * `PRAGMA user_version`. Never edit one that was released; append.
   */
  readonly migrations: readonly string[]
  /** How long a write may wait for other processes. Default 5_000. */
  readonly busyMs?: number
}

export interface SqlFile {
  /**
   * Runs the batch.
   * @throws {StoreBusyError} not applied: no write lock within `busyMs`; names the holder if known.
   * @throws {OutcomeUnknownError} the commit itself failed or the file's owner died: it may be there.
   * @throws {UnavailableError} not applied: disk full, read error.
   * @throws {CorruptDataError} the file is damaged; nothing more is written to it.
   * @throws {InvalidArgumentError} SQL that does not parse, a violated constraint, a value that does
   * not fit; the batch is undone.
   * @throws {LimitExceededError} more than 10_000 batches or 64 MiB already wait for this file.
   * @throws {ClosedError}
   */
  run(batch: SqlBatch): Promise<SqlOutcome>
  /**
   * Calls `wake` after a commit, by this or another process of the machine, of a batch that carried
   * `topic` in its hints. Hints are hints: they can be lost, late, doubled or spurious. Have a slow
   * poll behind them. The callback must not throw.
   * @returns stops listening.
   */
  listen(topic: string, wake: () => void): () => void
  /** Finishes what was sent, then closes. Safe to repeat. */
  close(): Promise<void>
}

export interface SqlBatch {
  /** 1 to 1_000 statements. */
  readonly statements: readonly SqlStatement[]
  /**
   * `write` takes the write lock; `read` sees one snapshot, never waits for a writer, and must not
   * write. Default `write`.
   */
  readonly mode?: 'read' | 'write'
  /**
   * `full`: once `run` resolves the batch survives a power cut. `relaxed`: it survives the death of
   * the process, but a power cut may take the last relaxed batches (always a suffix). Default `full`.
   */
  readonly durability?: 'full' | 'relaxed'
  /** Topics to wake after the commit, if the batch took effect. At most 64, of 1 to 200 characters. */
  readonly hints?: readonly string[]
}

export interface SqlStatement {
  readonly sql: string
  /** Positional, for `?1`, `?2`, …. A boolean is not a value of SQLite: use 0 and 1. */
  readonly parameters?: readonly SqlValue[]
  /**
   * How many rows must be returned (by a statement that returns rows) or else changed. Any other
   * number undoes the whole batch, and `refusedAt` says where. Absent: any number will do.
   */
  readonly expect?: number
  /** Integer columns come back as `number` (default; beyond ±2^53 is an error) or as `bigint`. */
  readonly integers?: 'number' | 'bigint'
}

export type SqlValue = null | number | bigint | string | Uint8Array

export type SqlRow = Readonly<Record<string, SqlValue>>

export interface SqlOutcome {
  /** One per statement; after a refusal, up to and including the refusing statement. */
  readonly results: readonly SqlResult[]
  /** Index of the statement whose `expect` was not met: the batch left no trace. */
  readonly refusedAt?: number
}

export interface SqlResult {
  /** Empty for a statement that returns none. */
  readonly rows: readonly SqlRow[]
  /** Rows inserted, updated or deleted by this statement. */
  readonly changes: number
}
