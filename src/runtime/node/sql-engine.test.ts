import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ClosedError, LimitExceededError, OutcomeUnknownError } from '../../errors.ts'
import type { SqlBatch, SqlFile } from '../sql.ts'
import { type NodeSqlEngine, sqlEngine } from './sql-engine.ts'
import { sqliteThread } from './sqlite-thread.ts'

const migrations = ['CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT UNIQUE) STRICT']

let folder: string
let engine: NodeSqlEngine
let threads: Worker[]
let noticed: string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  threads = []
  noticed = []
  engine = sqlEngine({
    notice: (event) => noticed.push(event),
    startThread(settings) {
      const thread = sqliteThread(settings)
      threads.push(thread)
      return thread
    },
  })
})
afterEach(async () => {
  await engine.close()
  rmSync(folder, { recursive: true })
})

/** A message that it does not understand is a bug, and ends it like any other. */
const breakThread = (): void => threads[0]?.postMessage(null)

const open = (name = 'a.db'): Promise<SqlFile> =>
  engine.open({ path: join(folder, name), migrations })
const insert = (v: string): SqlBatch => ({
  statements: [{ sql: 'INSERT INTO t (v) VALUES (?1)', parameters: [v] }],
})
const values = async (file: SqlFile): Promise<unknown[]> => {
  const read = { mode: 'read', statements: [{ sql: 'SELECT v FROM t ORDER BY k' }] } as const
  return (await file.run(read)).results[0]?.rows.map((row) => row.v) ?? []
}

describe('batches through the thread', () => {
  it('run in the order sent, and a read between two writes sees the first only', async () => {
    const file = await open()
    const [, between, , after] = await Promise.all([
      file.run(insert('a')),
      values(file),
      file.run(insert('b')),
      values(file),
    ])
    expect(between).toEqual(['a'])
    expect(after).toEqual(['a', 'b'])
  })

  it('share a commit without touching each other', async () => {
    const file = await open()
    const outcomes = await Promise.allSettled([
      file.run(insert('a')),
      file.run(insert('a')),
      file.run({ statements: [{ sql: 'DELETE FROM t', expect: 7 }] }),
      file.run({ statements: [{ sql: 'nonsense' }] }),
      file.run(insert('b')),
    ])
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(outcomes[1]).toMatchObject({ reason: { code: 'invalid-argument', outcome: 'invalid' } })
    expect(outcomes[2]).toMatchObject({ value: { refusedAt: 0, results: [{ changes: 1 }] } })
    expect(await values(file)).toEqual(['a', 'b'])
  })

  it('run again alone when one of them ends the whole transaction', async () => {
    const file = await open()
    await file.run({
      statements: [
        {
          sql: `CREATE TRIGGER never BEFORE INSERT ON t WHEN new.v = 'never' BEGIN
            SELECT RAISE(ROLLBACK, 'not this'); END`,
        },
        { sql: 'CREATE TABLE child (p REFERENCES t (k) DEFERRABLE INITIALLY DEFERRED)' },
      ],
    })
    const orphan = { statements: [{ sql: 'INSERT INTO child VALUES (99)' }] }
    const outcomes = await Promise.allSettled([
      file.run(insert('a')),
      file.run(insert('never')),
      values(file),
      file.run(insert('b')),
      file.run(orphan),
      file.run(insert('c')),
    ])
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(outcomes[4]).toMatchObject({ reason: { code: 'invalid-argument' } })
    expect(await values(file)).toEqual(['a', 'b', 'c'])
  })

  it('two handles of one file, under two spellings, share one thread', async () => {
    const one = await open()
    const two = await engine.open({ path: `${folder}/./x/../a.db`, migrations })
    await one.run(insert('a'))
    expect(await values(two)).toEqual(['a'])
    expect(threads).toHaveLength(1)
    await one.close()
    expect(await values(two)).toEqual(['a'])
    await expect(one.run(insert('b'))).rejects.toThrow(ClosedError)
  })

  it('G-8: close finishes what was sent; the file opens again', async () => {
    const file = await open()
    const sent = Array.from({ length: 50 }, (_, number) => file.run(insert(`v${number}`)))
    await file.close()
    await file.close()
    await Promise.all(sent)
    expect(threads[0]?.threadId).toBe(-1)
    expect(await values(await open())).toHaveLength(50)
  })

  it('G-11: refuses what goes over the limit, and takes more when it has drained', async () => {
    const file = await open()
    const sent = Array.from({ length: 10_050 }, (_, number) =>
      file.run({ ...insert(`v${number}`), durability: 'relaxed' }),
    )
    const outcomes = await Promise.allSettled(sent)
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused).toHaveLength(50)
    expect(refused[0]?.reason).toBeInstanceOf(LimitExceededError)
    const big = (): Promise<unknown> => file.run(insert('x'.repeat(40_000_000)))
    const [first, second] = await Promise.allSettled([big(), big()])
    expect([first?.status, second?.status]).toEqual(['fulfilled', 'rejected'])
    await file.run(insert('after'))
  })

  it('what cannot be copied to the thread is refused, its neighbours run', async () => {
    const file = await open()
    const odd = { statements: [{ sql: 'SELECT 1', extra: () => {} }] }
    const outcomes = await Promise.allSettled([
      file.run(insert('a')),
      file.run(odd),
      file.run(insert('b')),
    ])
    expect(outcomes[1]).toMatchObject({ reason: { code: 'invalid-argument' } })
    expect(await values(file)).toEqual(['a', 'b'])
  })

  it('G-9: 64-bit values and bytes pass between the threads', async () => {
    const file = await open()
    const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
    const statement = { sql: 'SELECT ?1 a, ?2 b', parameters: [2n ** 63n - 1n, bytes] }
    const { results } = await file.run({
      mode: 'read',
      statements: [{ ...statement, integers: 'bigint' }],
    })
    expect(results[0]?.rows).toEqual([{ a: 2n ** 63n - 1n, b: new Uint8Array([2, 3]) }])
    await expect(file.run({ mode: 'read', statements: [statement] })).rejects.toMatchObject({
      code: 'invalid-argument',
      details: { column: 'a' },
    })
  })
})

describe('when the thread dies', () => {
  it('G-1, G-12: what was sent is unknown, a read has no answer, later batches find a new thread', async () => {
    const file = await open()
    await file.run(insert('before'))
    // Both leave in this turn, before its end can be known, so the thread never gets to the batches.
    breakThread()
    const [write, read] = await Promise.allSettled([file.run(insert('sent')), values(file)])
    expect(write).toMatchObject({ status: 'rejected', reason: expect.any(OutcomeUnknownError) })
    expect(read).toMatchObject({ status: 'rejected', reason: { outcome: 'not-applied' } })
    await file.run(insert('after'))
    const stored = await values(file)
    expect(stored.filter((value) => value !== 'sent')).toEqual(['before', 'after'])
    expect(threads).toHaveLength(2)
    expect(noticed).toEqual(['sqlThreadDied'])
  })

  it('a file that cannot be opened again answers with the reason, and does not hang', async () => {
    const file = await open()
    breakThread()
    await new Promise((resolve) => threads[0]?.once('exit', resolve))
    rmSync(folder, { recursive: true })
    await expect(file.run(insert('a'))).rejects.toMatchObject({ code: 'configuration' })
    await expect(file.run(insert('b'))).rejects.toMatchObject({ code: 'configuration' })
    mkdirSync(folder)
    await expect(values(file)).resolves.toEqual([])
  })
})

describe('hints', () => {
  it('wake listeners of this process after the commit, once per listener', async () => {
    const file = await open()
    const heard: string[] = []
    const stop = file.listen('work:a', () => heard.push('one'))
    file.listen('work:a', () => heard.push('two'))
    file.listen('work:b', () => heard.push('other'))
    await file.run(insert('settled')) // whatever the registration wakes has been heard by now
    heard.length = 0
    await file.run({ ...insert('x'), hints: ['work:a'] })
    expect(heard).toEqual(['one', 'two'])
    stop()
    await file.run({ ...insert('y'), hints: ['work:a'] })
    expect(heard).toEqual(['one', 'two', 'two'])
  })

  it('of a batch that was refused wake nobody', async () => {
    const file = await open()
    let heard = 0
    file.listen('a', () => heard++)
    await file.run(insert('settled'))
    heard = 0
    await file.run({ statements: [{ sql: 'DELETE FROM t', expect: 9 }], hints: ['a'] })
    expect(heard).toBe(0)
  })
})
