/**
 * What callers are told when the disk fails at the worst moment. The failures are planted in a real
 * database: SQLite gives these codes only when hardware breaks.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SqlOutcome } from '../sql.ts'
import { SqliteFailure, type SyncDatabase } from '../sqlite.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'
import { loadSqlite } from './sqlite-library.ts'

const ioErrorSync = 1_034
const ioErrorWrite = 778
const full = 13

let folder: string
let queue: GroupCommit
/** Thrown by the next COMMIT, after or instead of it. */
let planted: { readonly code: number; readonly afterIt: boolean; times: number } | undefined
let opened: number
let commits: number
let hinted: string[]

function open(): SyncDatabase {
  opened++
  const database = loadSqlite().open(join(folder, 'a.db'))
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
  database.exec('CREATE TABLE IF NOT EXISTS t (v)')
  return {
    ...database,
    exec(sql) {
      if (sql === 'COMMIT') commits++
      if (sql === 'COMMIT' && planted && planted.times > 0) {
        planted.times--
        if (planted.afterIt) database.exec(sql)
        throw new SqliteFailure(planted.code, 'planted')
      }
      database.exec(sql)
    },
  }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  planted = undefined
  opened = 0
  commits = 0
  hinted = []
  queue = groupCommit({
    path: join(folder, 'a.db'),
    database: open(),
    reopen: open,
    beforeCommit: () => ['peer'],
    hint: (_, topics) => hinted.push(...topics),
    committed() {},
  })
})
afterEach(() => {
  queue.database.close()
  rmSync(folder, { recursive: true })
})

function send(sql: string, mode: 'read' | 'write' = 'write'): Promise<SqlOutcome> {
  return new Promise((done, failed) => {
    const batch = { statements: [{ sql }], mode, durability: 'relaxed', hints: [sql] } as const
    queue.push({ batch, busyMs: 1_000, done, failed })
  })
}
const insert = (value: number): Promise<SqlOutcome> => send(`INSERT INTO t VALUES (${value})`)
const stored = async (): Promise<unknown> =>
  (await send('SELECT v FROM t ORDER BY v', 'read')).results[0]?.rows.map(({ v }) => Number(v))
const codes = async (sent: readonly Promise<unknown>[]): Promise<unknown[]> =>
  (await Promise.allSettled(sent)).map((outcome) =>
    outcome.status === 'fulfilled' ? 'done' : outcome.reason.code,
  )

describe('a commit that fails', () => {
  it.each([
    ['and was not made', false, []],
    ['and was made all the same', true, [1, 2]],
  ])(
    'G-1: in its sync %s is unknown to all writers, and the file is opened anew',
    async (_, afterIt, there) => {
      planted = { code: ioErrorSync, afterIt, times: 1 }
      const sent = [insert(1), send('SELECT 1', 'read'), insert(2)]
      expect(await codes(sent)).toEqual(['outcome-unknown', 'unavailable', 'outcome-unknown'])
      expect(hinted).toEqual([])
      expect(await stored()).toEqual(there)
      expect(opened).toBe(2)
      expect(await codes([insert(3)])).toEqual(['done'])
      expect(await stored()).toEqual([...there, 3])
    },
  )

  it.each([
    ['a full disk', full],
    ['a failed write', ioErrorWrite],
  ])('G-1: by %s did not happen; each tries alone before it is told so', async (_, code) => {
    planted = { code, afterIt: false, times: 2 } // the shared commit, and the first one alone
    expect(await codes([insert(1), insert(2), insert(3)])).toEqual(['unavailable', 'done', 'done'])
    expect(await stored()).toEqual([2, 3])
    expect(commits).toBe(4)
    expect(hinted).toEqual(['INSERT INTO t VALUES (2)', 'INSERT INTO t VALUES (3)'])
  })
})

describe('what waits together', () => {
  it('shares one commit, at most 512 at once', async () => {
    await Promise.all(Array.from({ length: 2_000 }, (_, value) => insert(value)))
    expect(commits).toBeGreaterThanOrEqual(4) // fewer would be a longer hold of the lock
    expect(commits).toBeLessThan(200)
  })

  it('is drained when all of it has been answered', async () => {
    let answered = 0
    for (let value = 0; value < 20; value++) void insert(value).then(() => answered++)
    await queue.drained()
    await Promise.resolve()
    expect(answered).toBe(20)
    expect(queue.idle).toBe(true)
  })
})
