/**
 * Opening the file: everything that can be wrong with it is found here, before the first batch, and
 * has a name of its own.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ConfigurationError,
  CorruptDataError,
  FormatTooNewError,
  StoreBusyError,
} from '../../errors.ts'
import { failureKind, openFailed } from '../sql-failure.ts'
import { type SyncDatabase, sqliteCodes } from '../sqlite.ts'
import { monotonicMs } from './clock.ts'
import { refuseNetworkFileSystem } from './file-systems.ts'
import { writeLockHolder } from './lock-holder.ts'
import type { SqliteLibrary } from './sqlite-library.ts'

/** Those who want to be woken by hints, see `hint-sockets.ts`. `version` is of the row's meaning. */
const PEER_TABLE = `CREATE TABLE IF NOT EXISTS holdfast_peer (
  address TEXT PRIMARY KEY, version INTEGER NOT NULL, pid INTEGER NOT NULL, boot TEXT NOT NULL
) WITHOUT ROWID`

/** For every connection. Waiting for locks is done by the queue, in slices, never inside SQLite. */
export const settings: string =
  'PRAGMA busy_timeout = 0; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864'

/** @throws as `SqlEngine.open` says, but for migrations. */
export async function openDatabase(
  library: Pick<SqliteLibrary, 'open'>,
  path: string,
  busyMs: number,
): Promise<SyncDatabase> {
  try {
    requireFolder(dirname(path))
    refuseNetworkFileSystem(dirname(path))
    checkHeader(path)
    const database = library.open(path)
    try {
      database.exec(settings)
      await whileBusy(path, busyMs, () => enterWalMode(database, path))
      return database
    } catch (cause) {
      database.close()
      throw cause
    }
  } catch (cause) {
    throw openFailed(path, cause)
  }
}

function requireFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
  throw new ConfigurationError(`the folder "${folder}" does not exist`, { details: { folder } })
}

function enterWalMode(database: SyncDatabase, path: string): void {
  const [row] = database.prepare('PRAGMA journal_mode = WAL').run([]).rows
  if (row?.journal_mode === 'wal') return
  throw new ConfigurationError(`"${path}" cannot use a write-ahead log here`, { details: { path } })
}

/** Brings the file to the latest migration, in one transaction. */
export async function migrate(
  database: SyncDatabase,
  path: string,
  migrations: readonly string[],
  busyMs: number,
): Promise<void> {
  if (readVersion(database, path, migrations) === migrations.length && hasPeerTable(database))
    return
  await whileBusy(path, busyMs, () => {
    database.exec('PRAGMA synchronous = FULL')
    database.exec('BEGIN IMMEDIATE')
    try {
      // Another process may have been faster: look again under the lock.
      const applied = readVersion(database, path, migrations)
      for (const script of migrations.slice(applied)) database.exec(script)
      database.exec(PEER_TABLE)
      database.exec(`PRAGMA user_version = ${migrations.length}`)
      database.exec('COMMIT')
    } catch (cause) {
      rollback(database)
      throw openFailed(path, cause)
    }
  })
}

function readVersion(database: SyncDatabase, path: string, migrations: readonly string[]): number {
  const [row] = database.prepare('PRAGMA user_version').run([]).rows
  const version = Number(row?.user_version)
  if (version <= migrations.length) return version
  throw new FormatTooNewError(
    `"${path}" was written at migration ${version}; this process knows ${migrations.length}. ` +
      'Upgrade it; the file was not changed',
    { details: { path, found: version, known: migrations.length } },
  )
}

function hasPeerTable(database: SyncDatabase): boolean {
  const found = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'holdfast_peer'").run([])
  return found.rows.length > 0
}

export function rollback(database: SyncDatabase): void {
  try {
    database.exec('ROLLBACK')
  } catch {
    // SQLite had rolled back by itself.
  }
}

/** Tries again while another process holds a lock, for at most `busyMs`. */
async function whileBusy(path: string, busyMs: number, attempt: () => void): Promise<void> {
  const untilMs = monotonicMs() + busyMs
  for (;;) {
    try {
      return attempt()
    } catch (cause) {
      const kind = failureKind(cause) || failureKind((cause as { readonly cause?: unknown }).cause)
      if (kind !== sqliteCodes.busy && kind !== sqliteCodes.locked) throw cause
      if (monotonicMs() >= untilMs) throw storeBusy(path, busyMs)
    }
    await delay(5)
  }
}

export function storeBusy(path: string, busyMs: number): StoreBusyError {
  const holder = writeLockHolder(path)
  const who = holder === undefined ? 'another process' : `process ${holder}`
  return new StoreBusyError(`${who} kept the write lock of "${path}" for ${busyMs} ms`, {
    details: { path, busyMs, ...(holder === undefined ? {} : { holder }) },
  })
}

const MAGIC = 'SQLite format 3\0'

/**
 * A look at the first 100 bytes (https://sqlite.org/fileformat2.html): is it SQLite at all, and is it
 * as long as it says? With a log beside it the length proves nothing, because a checkpoint may have
 * been cut short; the log completes it.
 */
export function checkHeader(path: string): void {
  const walBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code === 'ENOENT') return
    throw new ConfigurationError(`"${path}" cannot be read: ${String(cause)}`, { cause })
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) throw new ConfigurationError(`"${path}" is not a file`)
    if (stat.size === 0) return
    const header = Buffer.alloc(100)
    const length = readSync(file, header, 0, 100, 0)
    if (length < 100 || header.toString('latin1', 0, 16) !== MAGIC) {
      throw damaged(path, 'it is not an SQLite file')
    }
    const size = header.readUInt16BE(16)
    const expected = header.readUInt32BE(28) * (size === 1 ? 65_536 : size)
    if (walBytes === 0 && stat.size < expected) {
      throw damaged(path, `it has ${stat.size} bytes of ${expected}: it was cut short`)
    }
  } finally {
    closeSync(file)
  }
}

function damaged(path: string, why: string): CorruptDataError {
  return new CorruptDataError(
    `"${path}" is damaged: ${why}. It was not changed; restore a copy, or move it away`,
    { details: { path } },
  )
}
