/**
 * A full look at a file, for operators and after a scare: it reads every page, which takes about a
 * second per gigabyte, so it is never done by itself.
 */
import { loadSqlite, type SqliteLibraryName } from './sqlite-library.ts'
import { checkHeader } from './sqlite-open.ts'

/**
 * Reads the whole file in this thread and changes nothing in it.
 * @returns what is wrong, at most 100 findings; empty if all is well.
 * @throws {CorruptDataError} it is not an SQLite file at all, or was cut short.
 */
export function checkSqliteFile(
  path: string,
  libraries?: readonly SqliteLibraryName[],
): readonly string[] {
  checkHeader(path)
  const database = loadSqlite(libraries).open(path)
  try {
    const { rows } = database.prepare('PRAGMA quick_check(100)').run([])
    const findings = rows.map((row) => String(Object.values(row)[0]))
    return findings.length === 1 && findings[0] === 'ok' ? [] : findings
  } finally {
    database.close()
  }
}
