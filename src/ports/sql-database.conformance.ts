/**
 * What every SqlDatabase must do, as cases: a batch is one transaction, decided by what its statements
 * meet. Each case makes a table of its own.
 */
import { InvalidArgumentError } from '../errors.ts'
import type { SqlOutcome, SqlStatement, SqlValue } from '../runtime/sql.ts'
import { check, checkEqual, checkRejects } from './check.ts'
import type { ConformanceBench, ConformanceCase } from './conformance.ts'
import type { SqlDatabase } from './sql-database.ts'

type DatabaseCase = ConformanceCase<SqlDatabase>

const blobType = { sqlite: 'BLOB', postgres: 'BYTEA', mysql: 'LONGBLOB' } as const
const textType = { sqlite: 'TEXT', postgres: 'TEXT', mysql: 'VARCHAR(200)' } as const

/** A table of accounts with the statements that the cases need. */
async function accounts({ store, unique }: ConformanceBench<SqlDatabase>) {
  const { dialect } = store
  const table = unique('account').replaceAll(/[^a-zA-Z0-9]/g, '_')
  const text = textType[dialect]
  await store.run({
    statements: [
      {
        sql: `CREATE TABLE ${table} (id ${text} PRIMARY KEY, amount BIGINT NOT NULL,
          note ${text}, photo ${blobType[dialect]})`,
      },
    ],
  })
  return {
    insert: (id: string, amount: number | bigint): SqlStatement => ({
      sql: `INSERT INTO ${table} (id, amount) VALUES (?1, ?2)`,
      parameters: [id, amount],
    }),
    take: (id: string, amount: number): SqlStatement => ({
      sql: `UPDATE ${table} SET amount = amount - ?2 WHERE id = ?1 AND amount >= ?2`,
      parameters: [id, amount],
      expect: 1,
    }),
    fill: (id: string, note: SqlValue, photo: SqlValue): SqlStatement => ({
      sql: `UPDATE ${table} SET note = ?2, photo = ?3 WHERE id = ?1`,
      parameters: [id, note, photo],
      expect: 1,
    }),
    all: (integers: 'number' | 'bigint' = 'number'): SqlStatement => ({
      sql: `SELECT id, amount FROM ${table} ORDER BY id`,
      integers,
    }),
    one: (id: string): SqlStatement => ({
      sql: `SELECT note, photo FROM ${table} WHERE id = ?1`,
      parameters: [id],
    }),
  }
}

const rowsOf = (outcome: SqlOutcome, index: number): readonly unknown[] =>
  outcome.results[index]?.rows ?? []

const batches: readonly DatabaseCase[] = [
  {
    name: 'a batch returns the rows and changes of each statement in order',
    shows: [],
    async run(bench) {
      const { insert, take, all } = await accounts(bench)
      const outcome = await bench.store.run({
        statements: [insert('a', 10), insert('b', 20), take('b', 5), all()],
      })
      checkEqual(outcome.refusedAt, undefined, 'refused')
      checkEqual(
        outcome.results.slice(0, 3).map(({ changes }) => changes),
        [1, 1, 1],
        'changes',
      )
      const rows = [
        { id: 'a', amount: 10 },
        { id: 'b', amount: 15 },
      ]
      checkEqual(rowsOf(outcome, 3), rows, 'rows')
    },
  },
  {
    name: 'an unmet expectation undoes the whole batch and says where',
    shows: ['IB-1', 'IK-4'],
    async run(bench) {
      const { insert, take, all } = await accounts(bench)
      await bench.store.run({ statements: [insert('a', 10)] })
      const outcome = await bench.store.run({
        statements: [insert('b', 1), take('a', 11), insert('c', 1)],
      })
      checkEqual(outcome.refusedAt, 1, 'refused at')
      checkEqual(outcome.results.length, 2, 'results up to the refusal')
      const after = await bench.store.run({ statements: [all()], mode: 'read' })
      checkEqual(rowsOf(after, 0), [{ id: 'a', amount: 10 }], 'rows afterwards')
    },
  },
  {
    name: 'an expectation counts the rows of a statement that returns rows',
    shows: [],
    async run(bench) {
      const { insert, all } = await accounts(bench)
      await bench.store.run({ statements: [insert('a', 1)] })
      const two = await bench.store.run({
        statements: [insert('b', 1), { ...all(), expect: 3 }],
      })
      checkEqual(two.refusedAt, 1, 'two rows where three were expected')
      const one = await bench.store.run({ statements: [{ ...all(), expect: 1 }], mode: 'read' })
      checkEqual(one.refusedAt, undefined, 'the first insert was undone')
    },
  },
  {
    name: 'a violated constraint is an error that undoes the batch',
    shows: ['IB-1'],
    async run(bench) {
      const { insert, all } = await accounts(bench)
      await bench.store.run({ statements: [insert('a', 1)] })
      const failed = bench.store.run({ statements: [insert('b', 2), insert('a', 3)] })
      await checkRejects(failed, InvalidArgumentError, 'the same key twice')
      const after = await bench.store.run({ statements: [all()], mode: 'read' })
      checkEqual(rowsOf(after, 0), [{ id: 'a', amount: 1 }], 'rows afterwards')
    },
  },
  {
    name: 'of two that take the last, one is refused',
    shows: ['IK-1'],
    async run(bench) {
      const { insert, take, all } = await accounts(bench)
      await bench.store.run({ statements: [insert('a', 10)] })
      const other = await bench.another()
      const outcomes = await Promise.all([
        bench.store.run({ statements: [take('a', 10)] }),
        other.run({ statements: [take('a', 10)] }),
      ])
      checkEqual(outcomes.filter(({ refusedAt }) => refusedAt === 0).length, 1, 'refusals')
      const after = await other.run({ statements: [all()], mode: 'read' })
      checkEqual(rowsOf(after, 0), [{ id: 'a', amount: 0 }], 'rows afterwards')
    },
  },
]

const values: readonly DatabaseCase[] = [
  {
    name: 'the statements of a read see one snapshot while others write',
    shows: [],
    async run(bench) {
      const { insert, take, all } = await accounts(bench)
      await bench.store.run({ statements: [insert('a', 100), insert('b', 0)] })
      const other = await bench.another()
      const [read] = await Promise.all([
        bench.store.run({ statements: [all(), all(), all()], mode: 'read' }),
        ...Array.from({ length: 10 }, () => other.run({ statements: [take('a', 1)] })),
      ])
      checkEqual(rowsOf(read, 1), rowsOf(read, 0), 'the second look')
      checkEqual(rowsOf(read, 2), rowsOf(read, 0), 'the third look')
      const after = await other.run({ statements: [all()], mode: 'read' })
      check(JSON.stringify(rowsOf(after, 0)).includes('90'), 'all ten writes are there')
    },
  },
  {
    name: 'a read batch cannot write',
    shows: [],
    async run(bench) {
      const { insert, all } = await accounts(bench)
      const refused = bench.store.run({ statements: [insert('a', 1)], mode: 'read' })
      await checkRejects(refused, InvalidArgumentError, 'a write in a read batch')
      const after = await bench.store.run({ statements: [all()], mode: 'read' })
      checkEqual(rowsOf(after, 0), [], 'rows afterwards')
    },
  },
  {
    name: '64-bit integers are exact as bigint and never wrong as number',
    shows: ['G-9'],
    async run(bench) {
      const { insert, all } = await accounts(bench)
      const big = 2n ** 63n - 1n
      await bench.store.run({ statements: [insert('a', big)] })
      const exact = await bench.store.run({ statements: [all('bigint')], mode: 'read' })
      checkEqual(rowsOf(exact, 0), [{ id: 'a', amount: big }], 'as bigint')
      const asNumber = bench.store.run({ statements: [all()], mode: 'read' })
      await checkRejects(asNumber, InvalidArgumentError, 'beyond 2^53 as number')
    },
  },
  {
    name: 'text, bytes and null come back as they went in',
    shows: [],
    async run(bench) {
      const { insert, fill, one } = await accounts(bench)
      const note = `zoë 🐙 "quoted" 'so' \\ \n漢`
      const photo = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      await bench.store.run({
        statements: [insert('a', 1), fill('a', note, photo), insert('b', 1), fill('b', '', null)],
      })
      const full = await bench.store.run({ statements: [one('a')], mode: 'read' })
      checkEqual(rowsOf(full, 0), [{ note, photo }], 'text and bytes')
      const empty = await bench.store.run({ statements: [one('b')], mode: 'read' })
      checkEqual(rowsOf(empty, 0), [{ note: '', photo: null }], 'empty text and null')
    },
  },
  {
    name: 'a hint wakes a listener of another client after the commit',
    shows: ['G-13'],
    async run(bench) {
      const { insert } = await accounts(bench)
      const other = await bench.another()
      const topic = bench.unique('topic')
      let wakes = 0
      const stop = other.listen(topic, () => {
        wakes += 1
      })
      // A listener may be woken once when it begins to listen.
      await bench.passMs(300)
      wakes = 0
      await bench.store.run({ statements: [insert('a', 1)], hints: [topic] })
      for (let waits = 0; wakes === 0 && waits < 100; waits += 1) await bench.passMs(50)
      check(wakes > 0, 'woken within 5 s')
      stop()
    },
  },
]

export const sqlDatabaseConformance: readonly DatabaseCase[] = [...batches, ...values]
