import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../errors.ts'
import { loadSqlite } from './node/sqlite-library.ts'
import type { SqlStatement, SqlValue } from './sql.ts'
import { type BatchRunner, batchRunner } from './sql-batch.ts'
import { requireBatch } from './sql-limits.ts'
import type { SyncDatabase } from './sqlite.ts'

let database: SyncDatabase
let runner: BatchRunner

beforeEach(() => {
  database = loadSqlite().open(':memory:')
  database.exec('CREATE TABLE t (k INTEGER PRIMARY KEY, v, u TEXT UNIQUE)')
  runner = batchRunner(database)
  database.exec('BEGIN IMMEDIATE')
})
afterEach(() => database.close())

const write = (...statements: SqlStatement[]) => runner.run({ statements })
const select = (sql: string, ...parameters: SqlValue[]) => {
  const verdict = runner.run({ mode: 'read', statements: [{ sql, parameters }] })
  if (verdict.kind !== 'applied') throw new Error(`read ${verdict.kind}`)
  return verdict.outcome.results[0]?.rows
}

describe('one batch on one connection', () => {
  it('G-1: a batch that is refused or fails leaves no trace, its neighbours stay', () => {
    const insert = (u: string, expects?: number): SqlStatement => ({
      sql: 'INSERT INTO t (u) VALUES (?1) ON CONFLICT DO NOTHING',
      parameters: [u],
      ...(expects === undefined ? {} : { expect: expects }),
    })
    expect(write(insert('a'))).toMatchObject({ kind: 'applied' })
    expect(write(insert('b', 1), insert('a', 1))).toMatchObject({
      kind: 'refused',
      outcome: { refusedAt: 1, results: [{ changes: 1 }, { changes: 0 }] },
    })
    expect(write(insert('c'), { sql: "INSERT INTO t (u) VALUES ('a')" })).toMatchObject({
      kind: 'failed',
      transactionLost: false,
      error: { outcome: 'invalid' },
    })
    expect(write(insert('d'))).toMatchObject({ kind: 'applied' })
    database.exec('COMMIT')
    expect(select('SELECT u FROM t ORDER BY u')).toEqual([{ u: 'a' }, { u: 'd' }])
  })

  it('says that the whole transaction is lost when SQLite dropped it', () => {
    database.exec(`CREATE TRIGGER never BEFORE INSERT ON t WHEN new.v = 'never' BEGIN
      SELECT RAISE(ROLLBACK, 'not this'); END`)
    database.exec('COMMIT')
    database.exec('BEGIN IMMEDIATE')
    write({ sql: "INSERT INTO t (u) VALUES ('neighbour')" })
    expect(write({ sql: "INSERT INTO t (v) VALUES ('never')" })).toMatchObject({
      kind: 'failed',
      transactionLost: true,
    })
    expect(select('SELECT count(*) n FROM t')).toEqual([{ n: 0 }])
  })

  it('counts changes and rows of RETURNING alike, and none for a read after a write', () => {
    const verdict = write(
      { sql: "INSERT INTO t (u) VALUES ('a'), ('b') RETURNING u", expect: 2 },
      { sql: 'SELECT u FROM t' },
      { sql: 'UPDATE t SET v = 1 WHERE k > 99 RETURNING k', expect: 0 },
      { sql: 'WITH x(k) AS (SELECT 1) DELETE FROM t WHERE k IN (SELECT k FROM x)', expect: 1 },
      { sql: 'WITH x(k) AS (SELECT 1) SELECT * FROM x', expect: 1 },
      { sql: 'CREATE TABLE z (a)', expect: 0 },
    )
    if (verdict.kind !== 'applied') throw new Error(verdict.kind)
    expect(verdict.outcome.results.map((result) => result.changes)).toEqual([2, 0, 0, 1, 0, 0])
    expect(verdict.outcome.results[0]?.rows).toEqual([{ u: 'a' }, { u: 'b' }])
  })

  it('G-9: 64-bit integers pass whole or not at all, and whole numbers are integers', () => {
    const big = 9_223_372_036_854_775_807n
    const sql = 'SELECT ?1 a, typeof(?1) t'
    expect(write({ sql, parameters: [big], integers: 'bigint' })).toMatchObject({
      outcome: { results: [{ rows: [{ a: big, t: 'integer' }] }] },
    })
    expect(write({ sql, parameters: [big] })).toMatchObject({
      kind: 'failed',
      error: { code: 'invalid-argument', details: { column: 'a', value: String(big) } },
    })
    expect(select(sql, 5)).toEqual([{ a: 5, t: 'integer' }])
    expect(select(sql, 0.5)).toEqual([{ a: 0.5, t: 'real' }])
    expect(select(sql, 2 ** 60)).toEqual([{ a: 2 ** 60, t: 'real' }])
    expect(select(sql, null)).toEqual([{ a: null, t: 'null' }])
  })

  it('gives bytes as plain Uint8Array with a buffer of their own', () => {
    const bytes = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4)
    const value = select('SELECT ?1 a', bytes)?.[0]?.a as Uint8Array
    expect(value.constructor).toBe(Uint8Array)
    expect([...value]).toEqual([1, 2, 3])
    expect(value.buffer.byteLength).toBe(3)
    expect(Object.getPrototypeOf(select('SELECT 1 a')?.[0])).toBe(Object.prototype)
  })

  it('a read must not write, and the ban ends with it', () => {
    const insert: SqlStatement = { sql: "INSERT INTO t (u) VALUES ('a')" }
    expect(runner.run({ mode: 'read', statements: [insert] })).toMatchObject({
      kind: 'failed',
      error: { code: 'invalid-argument' },
    })
    expect(write(insert)).toMatchObject({ kind: 'applied' })
  })

  it.each([
    ["WITH a AS (SELECT 'x' u) INSERT INTO t (u) SELECT u FROM a", true],
    ['WITH a(n) AS (VALUES (1)), b AS (SELECT (SELECT n) n FROM a) DELETE FROM t', true],
    ['/* SELECT */ UPDATE t SET u = 1', true],
    ["REPLACE INTO t (u) VALUES ('a')", true],
    ['CREATE TABLE other (a)', true],
    ['DROP TABLE t', true],
    ["WITH a AS (SELECT 1 n) SELECT replace('INSERT', n, 'a') FROM a", false],
    [
      'WITH RECURSIVE a(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM a WHERE n < 3) VALUES (1)',
      false,
    ],
    ["-- INSERT\n VALUES ('DELETE')", false],
    ['WITH "insert" AS (SELECT 1) SELECT * FROM "insert"', false],
  ])('a read may not hide a write: %s', (sql, writes) => {
    const verdict = runner.run({ mode: 'read', statements: [{ sql }] })
    expect(verdict.kind).toBe(writes ? 'failed' : 'applied')
    const count = "SELECT count(*) n FROM sqlite_schema WHERE name IN ('t', 'other')"
    expect(select(count)).toEqual([{ n: 1 }])
  })

  it.each([
    ['a second statement', 'SELECT 1; SELECT 2', []],
    ['the end of the transaction', '/* sly */ COMMIT', []],
    ['a pragma', 'PRAGMA synchronous = 0', []],
    ['a named parameter', 'SELECT :a', [1]],
    ['a bare parameter', 'SELECT ?', [1]],
    ['a skipped parameter', 'SELECT ?1, ?3', [1, 2, 3]],
    ['a missing value', 'SELECT ?1, ?2', [1]],
    ['a value too many', 'SELECT ?1', [1, 2]],
    ['nothing', ' -- only a comment', []],
    ['no SQL', 'selec 1', []],
  ])('refuses %s', (_, sql, parameters) => {
    expect(write({ sql, parameters })).toMatchObject({
      kind: 'failed',
      transactionLost: false,
      error: { code: 'invalid-argument' },
    })
    expect(write({ sql: "SELECT '; ?9 :x' a, ?1 b; ", parameters: ['x'] })).toMatchObject({
      outcome: { results: [{ rows: [{ a: '; ?9 :x', b: 'x' }] }] },
    })
  })

  it('G-11: more statements than the cache holds still run', () => {
    for (let number = 0; number < 1_200; number++) {
      expect(write({ sql: `SELECT ${number % 600} a` })).toMatchObject({
        outcome: { results: [{ rows: [{ a: number % 600 }] }] },
      })
    }
  })
})

describe('the limits of a batch', () => {
  const one = (value: unknown) => () =>
    requireBatch({ statements: [{ sql: 'SELECT ?1', parameters: [value as SqlValue] }] })

  it.each([true, undefined, Number.NaN, Infinity, 2n ** 63n, 'a\0b', {}, [], new Date(0)])(
    'G-9: refuses the value %s',
    (value) => {
      expect(one(value)).toThrow(InvalidArgumentError)
    },
  )

  it('G-11: refuses too much of anything, and says how much it was', () => {
    const statement = { sql: 'SELECT 1' }
    expect(() => requireBatch({ statements: [] })).toThrow('0 statements')
    expect(() => requireBatch({ statements: Array(1_001).fill(statement) })).toThrow('1001')
    const hinted = (hints: string[]) => () => requireBatch({ statements: [statement], hints })
    expect(hinted(Array(65).fill('a'))).toThrow('65 hints')
    expect(hinted(['a\nb'])).toThrow('line break')
    expect(hinted(['x'.repeat(201)])).toThrow(InvalidArgumentError)
    expect(requireBatch({ statements: [statement], hints: ['a'] })).toBeGreaterThan(8)
  })
})
