/**
 * One SQLite database of a simulated machine and what a power cut would leave of it. Relaxed commits
 * are kept as nested savepoints of a transaction that only a full commit ends, so that a crash can roll
 * back to any of them: always a suffix of the relaxed ones, never a full commit or what came before it.
 */
import { FormatTooNewError } from '../errors.ts'
import type { SqlBatch } from '../runtime/sql.ts'
import { type BatchVerdict, batchRunner } from '../runtime/sql-batch.ts'
import { commitFailed, sqlFailure } from '../runtime/sql-failure.ts'
import type { SyncDatabase } from '../runtime/sqlite.ts'
import type { Draws } from './chance.ts'

export interface DatabaseFile {
  /** Brings the file to the latest migration. @throws {FormatTooNewError} */
  migrate(migrations: readonly string[]): void
  read(batch: SqlBatch): BatchVerdict
  /** Runs the batches and commits them together. */
  write(batches: readonly SqlBatch[], full: boolean): readonly BatchVerdict[]
  /**
   * The sync of a commit failed. As in SQLite's WAL mode nobody sees the transaction then; but its frames
   * are in the log, so that a power cut may bring it back, unless something was committed since.
   */
  writeInDoubt(batches: readonly SqlBatch[]): readonly BatchVerdict[]
  /** Power cut: drops a drawn suffix of the relaxed commits, and may bring back what was in doubt. */
  crash(draws: Draws): void
  close(): void
}

/** So many relaxed commits can be lost at most; then the oldest are on disk. */
const relaxedMax = 64

export function databaseFile(database: SyncDatabase, path: string): DatabaseFile {
  const runner = batchRunner(database)
  let relaxed = 0
  let version = 0
  /** What a power cut may bring back. */
  let inDoubt: readonly SqlBatch[] = []

  function harden(): void {
    if (relaxed > 0) database.exec('COMMIT')
    relaxed = 0
  }

  function writeFull(batches: readonly SqlBatch[]): readonly BatchVerdict[] {
    harden()
    database.exec('BEGIN IMMEDIATE')
    const verdicts = runAll(batches)
    try {
      database.exec('COMMIT')
      return verdicts
    } catch (cause) {
      database.exec('ROLLBACK')
      const error = commitFailed(cause)
      return batches.map(() => ({ kind: 'failed', error, transactionLost: true }))
    }
  }

  function writeRelaxed(batches: readonly SqlBatch[]): readonly BatchVerdict[] {
    if (relaxed >= relaxedMax) harden()
    if (relaxed === 0) database.exec('BEGIN IMMEDIATE')
    database.exec(`SAVEPOINT relaxed_${relaxed++}`)
    return runAll(batches)
  }

  /** A batch that ends the transaction around it is left out, and its neighbours run again. */
  function runAll(
    batches: readonly SqlBatch[],
    broken: ReadonlyMap<SqlBatch, BatchVerdict> = new Map(),
  ): readonly BatchVerdict[] {
    const verdicts: BatchVerdict[] = []
    for (const batch of batches) {
      const verdict = broken.get(batch) ?? runner.run(batch)
      if (verdict.kind === 'failed' && verdict.transactionLost && !broken.has(batch)) {
        if (relaxed > 1) throw new Error('not modelled: RAISE(ROLLBACK) behind relaxed commits')
        database.exec('BEGIN IMMEDIATE')
        if (relaxed === 1) database.exec('SAVEPOINT relaxed_0')
        return runAll(batches, new Map([...broken, [batch, verdict]]))
      }
      verdicts.push(verdict)
    }
    return verdicts
  }

  return {
    migrate(migrations) {
      if (version > migrations.length) {
        throw new FormatTooNewError(
          `${path} was written by version ${version}; this code knows ${migrations.length}`,
          { details: { path, version, known: migrations.length } },
        )
      }
      if (version === migrations.length) return
      harden()
      try {
        database.exec('BEGIN IMMEDIATE')
        for (const script of migrations.slice(version)) database.exec(script)
        database.exec(`PRAGMA user_version = ${migrations.length}`)
        database.exec('COMMIT')
      } catch (cause) {
        database.exec('ROLLBACK')
        throw sqlFailure(cause)
      }
      version = migrations.length
    },
    read: (batch) => runner.run(batch),
    write(batches, full) {
      inDoubt = []
      return full ? writeFull(batches) : writeRelaxed(batches)
    },
    writeInDoubt(batches) {
      database.exec('SAVEPOINT in_doubt')
      const verdicts = runAll(batches)
      database.exec('ROLLBACK TO in_doubt')
      database.exec('RELEASE in_doubt')
      inDoubt = batches
      return verdicts
    },
    crash(draws) {
      const kept = draws.below(relaxed + 1)
      // Frames in the log count only behind all those before them.
      const back = kept === relaxed && inDoubt.length > 0 && draws.happens(0.5)
      if (kept < relaxed) database.exec(`ROLLBACK TO relaxed_${kept}`)
      harden()
      if (back) writeFull(inDoubt)
      inDoubt = []
    },
    close: () => database.close(),
  }
}
