/**
 * node:sqlite, from Node 22.13. Its statements have no word for "returns rows" in the early versions,
 * so every statement is read to its end and the changes are taken from SQLite's own counters.
 */
import type { SqlRow, SqlValue } from '../sql.ts'
import { SqliteFailure, type SyncDatabase, type SyncStatement } from '../sqlite.ts'

/** The part of `node:sqlite` that is used. Declared here: the types of Node 20 do not have it. */
interface Statement {
  setReadBigInts(on: boolean): void
  all(...parameters: unknown[]): Record<string, unknown>[]
}
interface Database {
  exec(sql: string): void
  prepare(sql: string): Statement
  close(): void
}
interface Library {
  readonly DatabaseSync: new (path: string) => Database
}

export function builtInDatabase(library: unknown, path: string): SyncDatabase {
  const database = translated(() => new (library as Library).DatabaseSync(path))
  const counts = translated(() => database.prepare('SELECT total_changes() t, changes() c'))
  let closed = false

  function statement(sql: string): SyncStatement {
    const prepared = translated(() => database.prepare(sql))
    prepared.setReadBigInts(true)
    const countsChanges = !/^\s*(select|values)\b/i.test(sql)
    return {
      run: (values) =>
        translated(() => {
          const before = countsChanges ? counts.all()[0]?.t : 0
          const rows = prepared.all(...byNumber(values)).map(plainRow)
          if (!countsChanges) return { rows, changes: 0 }
          const after = counts.all()[0]
          return { rows, changes: after?.t === before ? 0 : Number(after?.c) }
        }),
    }
  }

  return {
    exec: (sql) => translated(() => database.exec(sql)),
    prepare: statement,
    close() {
      if (closed) return
      closed = true
      translated(() => database.close())
    },
  }
}

/** Early versions skip `?1` when they bind by position, because it has a name: "?1". */
function byNumber(values: readonly SqlValue[]): readonly unknown[] {
  if (values.length === 0) return []
  return [Object.fromEntries(values.map((value, index) => [`?${index + 1}`, value]))]
}

function plainRow(row: Record<string, unknown>): SqlRow {
  const plain: Record<string, SqlValue> = {}
  for (const column of Object.keys(row)) {
    const value = row[column]
    plain[column] = value instanceof Uint8Array ? new Uint8Array(value) : (value as SqlValue)
  }
  return plain
}

function translated<Value>(work: () => Value): Value {
  try {
    return work()
  } catch (cause) {
    const { errcode, message } = cause as { readonly errcode?: unknown; readonly message?: string }
    if (typeof errcode !== 'number') throw cause
    throw new SqliteFailure(errcode, message ?? '', { cause })
  }
}
