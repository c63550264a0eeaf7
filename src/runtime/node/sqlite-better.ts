/**
 * better-sqlite3, and libsql, which copies its interface. Where they differ: libsql binds by position
 * where better-sqlite3 wants `?1` by name, returns blobs as `ArrayBuffer`, and throws codes as numbers.
 */
import type { SqlRow, SqlValue } from '../sql.ts'
import { SqliteFailure, type SyncDatabase, type SyncStatement, sqliteCodes } from '../sqlite.ts'

/** The part of the libraries that is used. */
interface Statement {
  readonly reader: boolean
  safeIntegers(on: boolean): Statement
  raw(on: boolean): Statement
  run(parameters: unknown): { readonly changes: number }
  all(parameters: unknown): Record<string, unknown>[]
}
interface Database {
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): unknown
}
type Constructor = new (path: string) => Database

export function betterDatabase(
  library: unknown,
  path: string,
  name: 'better-sqlite3' | 'libsql',
): SyncDatabase {
  const database = new (library as Constructor)(path)
  const bind = name === 'libsql' ? (values: readonly SqlValue[]) => values : byNumber
  const counts = translated(() => database.prepare('SELECT total_changes(), changes()'))
  counts.safeIntegers(true).raw(true)
  let closed = false

  function statement(sql: string): SyncStatement {
    const prepared = translated(() => database.prepare(sql))
    prepared.safeIntegers(true)
    if (!prepared.reader) {
      return {
        run: (values) =>
          translated(() => ({ rows: [], changes: prepared.run(bind(values)).changes })),
      }
    }
    const countsChanges = !/^\s*(select|values)\b/i.test(sql)
    return {
      run: (values) =>
        translated(() => {
          const before = countsChanges ? readCounts(counts).total : 0n
          // `all` steps to the end; `get` and `run` would leave the statement open, and its read lock.
          const rows = prepared.all(bind(values)).map(plainRow)
          if (!countsChanges) return { rows, changes: 0 }
          const after = readCounts(counts)
          return { rows, changes: after.total === before ? 0 : Number(after.last) }
        }),
    }
  }

  return {
    exec: (sql) => translated(() => void database.exec(sql)),
    prepare: statement,
    close() {
      if (closed) return
      closed = true
      translated(() => void database.close())
    },
  }
}

/** `changes()` keeps its value over statements that change nothing, hence the total beside it. */
function readCounts(counts: Statement): { readonly total: bigint; readonly last: bigint } {
  const [row] = counts.all([]) as unknown as [bigint, bigint][]
  return { total: row?.[0] ?? 0n, last: row?.[1] ?? 0n }
}

/** better-sqlite3 takes `?1` for a parameter with the name "1". */
function byNumber(values: readonly SqlValue[]): Record<string, SqlValue> | readonly SqlValue[] {
  if (values.length === 0) return values
  return Object.fromEntries(values.map((value, index) => [String(index + 1), value]))
}

function plainRow(row: Record<string, unknown>): SqlRow {
  const plain: Record<string, SqlValue> = {}
  for (const column of Object.keys(row)) {
    const value = row[column]
    plain[column] =
      value instanceof ArrayBuffer || value instanceof Uint8Array
        ? new Uint8Array(value) // a copy of its own: no shared pool behind it
        : (value as SqlValue)
  }
  return plain
}

function translated<Value>(work: () => Value): Value {
  try {
    return work()
  } catch (cause) {
    const { code, rawCode, message } = cause as {
      readonly code?: unknown
      readonly rawCode?: unknown
      readonly message?: string
    }
    if (typeof rawCode === 'number' && rawCode !== 0) {
      throw new SqliteFailure(rawCode, message ?? '', { cause })
    }
    if (typeof code === 'string' && code.startsWith('SQLITE_')) {
      throw new SqliteFailure(numberOf(code), message ?? code, { cause })
    }
    throw cause
  }
}

/** better-sqlite3 gives the name of the extended code; only those that matter here keep theirs. */
function numberOf(code: string): number {
  if (code === 'SQLITE_IOERR_WRITE') return sqliteCodes.ioErrorWrite
  const kinds: Readonly<Record<string, number>> = {
    ERROR: sqliteCodes.error,
    BUSY: sqliteCodes.busy,
    LOCKED: sqliteCodes.locked,
    NOMEM: sqliteCodes.noMemory,
    READONLY: sqliteCodes.readOnly,
    IOERR: sqliteCodes.ioError,
    CORRUPT: sqliteCodes.corrupt,
    FULL: sqliteCodes.full,
    CANTOPEN: sqliteCodes.cannotOpen,
    PROTOCOL: sqliteCodes.protocol,
    SCHEMA: sqliteCodes.schema,
    TOOBIG: sqliteCodes.tooBig,
    CONSTRAINT: sqliteCodes.constraint,
    MISMATCH: sqliteCodes.mismatch,
    MISUSE: sqliteCodes.misuse,
    RANGE: sqliteCodes.range,
    NOTADB: sqliteCodes.notDatabase,
  }
  const [, kind = '', extension] = /^SQLITE_([A-Z]+)(_.*)?$/.exec(code) ?? []
  // An extended "read-only" must not pass for the plain one, which means "a read batch wrote".
  return (kinds[kind] ?? sqliteCodes.error) | (extension === undefined ? 0 : 0x100)
}
