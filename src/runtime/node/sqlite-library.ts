/**
 * Which SQLite is there? Node has its own from 22.13; before that a package brings one. The three
 * speak nearly the same language, and this file is where the "nearly" ends.
 */
import { createRequire } from 'node:module'
import { ConfigurationError } from '../../errors.ts'
import { SqliteFailure, type SyncDatabase } from '../sqlite.ts'
import { betterDatabase } from './sqlite-better.ts'
import { builtInDatabase } from './sqlite-built-in.ts'

export type SqliteLibraryName = 'node:sqlite' | 'better-sqlite3' | 'libsql'

export interface SqliteLibrary {
  readonly name: SqliteLibraryName
  /** `:memory:` gives a database that lives and dies with the connection. @throws {SqliteFailure} */
  open(path: string): SyncDatabase
}

/** In this order; the first that loads is taken. */
export const sqliteLibraries: readonly SqliteLibraryName[] = [
  'node:sqlite',
  'better-sqlite3',
  'libsql',
]

/** @throws {ConfigurationError} none can be loaded: says which command installs one. */
export function loadSqlite(
  candidates: readonly SqliteLibraryName[] = sqliteLibraries,
): SqliteLibrary {
  const require = createRequire(import.meta.url)
  const reasons: string[] = []
  for (const name of candidates) {
    try {
      return adapt(name, require)
    } catch (error) {
      reasons.push(`${name}: ${error instanceof Error ? firstLine(error.message) : String(error)}`)
    }
  }
  throw new ConfigurationError(
    `no SQLite for Node ${process.versions.node}: run "npm install libsql", or use Node 22.13 or later`,
    { details: { node: process.versions.node, reasons } },
  )
}

function adapt(name: SqliteLibraryName, require: NodeJS.Require): SqliteLibrary {
  if (name === 'node:sqlite') {
    if (!hasBuiltIn(process.versions.node)) throw new Error('needs Node 22.13 or later')
    const library = withoutExperimentalWarning(() => require(name))
    return { name, open: (path) => opened(path, () => builtInDatabase(library, path)) }
  }
  const library = require(name)
  // A native package may be found and yet not load on this Node: better to know now.
  betterDatabase(library, ':memory:', name).close()
  return { name, open: (path) => opened(path, () => betterDatabase(library, path, name)) }
}

function hasBuiltIn(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 13)
}

/** Hides the one warning that loading `node:sqlite` emits, and no other. */
function withoutExperimentalWarning<Value>(load: () => Value): Value {
  const original = process.emitWarning
  const filtered = (warning: string | Error, ...rest: unknown[]): void => {
    if (String(warning).startsWith('SQLite is an experimental feature')) return
    Reflect.apply(original, process, [warning, ...rest])
  }
  process.emitWarning = filtered as typeof process.emitWarning
  try {
    return load()
  } finally {
    process.emitWarning = original
  }
}

/** Some libraries fail to open without a result code: 14 is SQLITE_CANTOPEN. */
function opened(path: string, open: () => SyncDatabase): SyncDatabase {
  try {
    return open()
  } catch (cause) {
    if (cause instanceof SqliteFailure) throw cause
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new SqliteFailure(14, `unable to open "${path}": ${message}`, { cause })
  }
}

function firstLine(message: string): string {
  return message.split('\n')[0] ?? message
}
