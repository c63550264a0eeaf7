/**
 * SqlDatabase is the user's own data in SQL, asked in batches: each is one transaction, goes in whole,
 * and is undone unless every statement met the number of rows it expects. That is enough for transfers,
 * reservations and "the effect and its record in one transaction", and it never holds a lock while
 * somebody's event loop is busy.
 */
import type { SqlBatch, SqlOutcome } from '../runtime/sql.ts'

export interface SqlDatabase {
  readonly dialect: 'sqlite' | 'postgres' | 'mysql'
  /** Errors as in `SqlFile.run`. */
  run(batch: SqlBatch): Promise<SqlOutcome>
  /** Calls `wake` after a commit that carried the topic: a hint. @returns stops listening. */
  listen(topic: string, wake: () => void): () => void
  close(): Promise<void>
}
