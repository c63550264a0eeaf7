/**
 * Cost stays flat with the length of a queue, the number of keys and the age of the file: no question
 * may walk through a table that grows. Asked of SQLite itself.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { loadSqlite } from '../../runtime/node/sqlite-library.ts'
import type { SqlStatement } from '../../runtime/sql.ts'
import * as records from './record-statements.ts'
import { recordTables } from './record-tables.ts'
import { claimStatements } from './work-claim.ts'
import { deadLetterStatements, redriveStatements } from './work-dead-letters.ts'
import { publishBatch } from './work-publish.ts'
import { extendStatement, settleBatch } from './work-settle.ts'
import { statsStatements } from './work-stats.ts'
import { workTables } from './work-tables.ts'

const library = loadSqlite()
const database = library.open(':memory:')
database.exec(recordTables + workTables)
afterAll(() => database.close())

function plan({ sql, parameters = [] }: SqlStatement): readonly string[] {
  const { rows } = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).run(parameters)
  return rows.map(({ detail }) => String(detail))
}

// Lists given by the caller, one row, or the rows of a step that was a search itself.
const harmless = /VIRTUAL TABLE|CONSTANT ROW|SCAN \(subquery-|SCAN revived/

/** The steps that walk through a table from end to end. */
function scans(statement: SqlStatement): readonly string[] {
  return plan(statement).filter((step) => step.startsWith('SCAN') && !harmless.test(step))
}

const now = { wallMs: 1_000, monotonicMs: 1_000, bootId: 'b' }
const work = { queue: 1, now }
const claim = '0'.repeat(32)
const receipt = `1.${claim}`

describe('work', () => {
  const message = { id: 'a', body: '', kind: 'k' }
  const options = { forget: true, makeRoom: true }
  const settlements = [
    { receipt, outcome: 'done' },
    { receipt: `2.${claim}`, outcome: 'retry', delayMs: 0, reason: '' },
    { receipt: `3.${claim}`, outcome: 'dead', reason: '' },
  ] as const
  const questions: Readonly<Record<string, readonly SqlStatement[]>> = {
    publish: publishBatch(work, [message], options).statements,
    'publish with a key': publishBatch(work, [{ ...message, key: 'k' }], options).statements,
    claim: claimStatements(work, { limit: 1, leaseMs: 100, consumer: '', kinds: ['k'] }, claim),
    settle: settleBatch(work, settlements).statements,
    extend: [extendStatement(work, [receipt], 100)],
    stats: statsStatements(work),
    'dead letters': deadLetterStatements(1, { after: 'a', limit: 1 }),
    redrive: redriveStatements(work, ['a']),
  }
  for (const [name, statements] of Object.entries(questions)) {
    it(`QD-4, QU-9: ${name} searches, it does not scan`, () => {
      expect(statements.flatMap(scans)).toEqual([])
    })
  }

  it('QU-8: a claim reads each lane from its index, in order, up to now', () => {
    expect(questions.claim?.flatMap(plan)).toContain(
      'SEARCH c USING COVERING INDEX holdfast_work_message_queued (lane=? AND due_ms<?)',
    )
  })

  it('KO-5: the next of a key is found by search', () => {
    const triggers = workTables.match(/UPDATE holdfast_work_message SET state = 0[^;]*/g) ?? []
    expect(triggers).toHaveLength(2)
    for (const sql of triggers) {
      const bound = sql.replace('OLD.queue', '?1').replace('OLD.key', '?2')
      expect(scans({ sql: bound, parameters: [1, 'k'] })).toEqual([])
    }
  })
})

describe('records', () => {
  const scope = { namespace: 'n', now }
  const write = { space: 's', key: 'k', value: '{}' } as const
  const questions: Readonly<Record<string, SqlStatement>> = {
    sequence: records.sequenceStatement(scope, 1),
    sweep: records.sweepStatement(scope, 1),
    create: records.writeStatement(scope, { ...write, expected: 'absent' }, 0),
    overwrite: records.writeStatement(scope, { ...write, expected: 'any' }, 0),
    replace: records.writeStatement(scope, { ...write, expected: 1n }, 0),
    delete: records.deleteStatement(scope, 's', 'k', 1n),
    get: records.getStatement(scope, 's', 'k'),
    due: records.dueStatement(scope, 's', 10),
    'next due': records.nextDueStatement(scope, 's'),
    list: records.listStatement(scope, 's', { limit: 10 }),
    increment: records.incrementStatement('n', 's', 'k', 1n),
  }
  for (const [name, statement] of Object.entries(questions)) {
    it(`G-11: ${name} searches, it does not scan or sort`, () => {
      expect(scans(statement)).toEqual([])
      expect(plan(statement).filter((step) => step.includes('TEMP B-TREE'))).toEqual([])
    })
  }
})

describe('the question itself', () => {
  it('G-14: finds a scan', () => {
    const sql = 'SELECT count(*) FROM holdfast_work_message WHERE body IS NULL'.replace(
      'body',
      'id',
    )
    expect(scans({ sql })).not.toEqual([])
  })
})
