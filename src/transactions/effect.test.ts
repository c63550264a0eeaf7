import { describe, expect, it } from 'vitest'
import { embeddedDatabase } from '../drivers/embedded/sql-database.ts'
import { InvalidArgumentError } from '../errors.ts'
import type { SqlDatabase } from '../ports/sql-database.ts'
import type { SqlStatement } from '../runtime/index.ts'
import { inVirtualTime } from '../testing/index.ts'
import { effectOnce, effectOnceTables, purgeEffects } from './effect.ts'
import { participant } from './participant.ts'

const tables = `
  CREATE TABLE account (name TEXT PRIMARY KEY, balance INTEGER NOT NULL);
  INSERT INTO account VALUES ('kelp', 100);`
const scope = 'ledger'

/** Takes the amount, if it is there. */
function take(amount: number): SqlStatement[] {
  const sql = 'UPDATE account SET balance = balance - ?1 WHERE name = ?2 AND balance >= ?1'
  return [{ sql, parameters: [amount, 'kelp'], expect: 1 }]
}

const give = (amount: number): SqlStatement[] => [
  {
    sql: 'UPDATE account SET balance = balance + ?1 WHERE name = ?2',
    parameters: [amount, 'kelp'],
    expect: 1,
  },
]

function withDatabase(
  body: (db: SqlDatabase, balance: () => Promise<number>) => Promise<void>,
): Promise<void> {
  return inVirtualTime(async (_world, runtime) => {
    const db = await embeddedDatabase(runtime, {
      path: '/bank.db',
      migrations: [effectOnceTables, tables],
    })
    await body(db, async () => {
      const statements = [{ sql: 'SELECT balance FROM account' }]
      const { results } = await db.run({ mode: 'read', statements })
      return Number(results[0]?.rows[0]?.balance)
    })
  })
}

describe('effectOnce', () => {
  it('IB-1: of two deliveries at the same instant one takes effect', () =>
    withDatabase(async (db, balance) => {
      const options = { scope, id: 'm1', result: { receipt: 7 } }
      const both = await Promise.all([
        effectOnce(db, options, take(10)),
        effectOnce(db, { ...options, result: { receipt: 8 } }, take(10)),
      ])
      expect(both.map(({ applied }) => applied).sort()).toEqual([false, true])
      const duplicate = both.find(({ applied }) => !applied)
      const first = both.find(({ applied }) => applied)
      expect(duplicate).toEqual({ applied: false, reason: 'duplicate', result: first?.result })
      expect(await balance()).toBe(90)
    }))

  it('IB-1: note and effect are one: without the effect there is no note', () =>
    withDatabase(async (db, balance) => {
      const options = { scope, id: 'm1' }
      const refused = await effectOnce(db, options, take(1_000))
      expect(refused).toMatchObject({ applied: false, reason: 'refused', refusedAt: 0 })
      expect(await effectOnce(db, options, take(10))).toMatchObject({ applied: true })
      expect(await balance()).toBe(90)
    }))

  it('a refusal can be remembered, and then a repeat gets the same', () =>
    withDatabase(async (db, balance) => {
      const options = { scope, id: 'm1', onRefused: { result: 'too poor' } }
      const fresh = await effectOnce(db, options, take(1_000))
      expect(fresh).toEqual({
        applied: false,
        reason: 'refused',
        result: 'too poor',
        refusedAt: 0,
      })
      const again = await effectOnce(db, options, take(10))
      expect(again).toEqual({ applied: false, reason: 'refused', result: 'too poor' })
      expect(await balance()).toBe(100)
    }))

  it('IB-2: scopes do not meet; what is purged can come again', () =>
    withDatabase(async (db, balance) => {
      await effectOnce(db, { scope, id: 'm1', atMs: 1_000 }, take(10))
      expect((await effectOnce(db, { scope: 'other', id: 'm1' }, take(10))).applied).toBe(true)
      expect(await purgeEffects(db, { beforeMs: 1_000, limit: 10 })).toBe(1) // the undated one
      expect((await effectOnce(db, { scope, id: 'm1' }, take(10))).applied).toBe(false)
      expect(await purgeEffects(db, { beforeMs: 1_001, limit: 10 })).toBe(1)
      expect((await effectOnce(db, { scope, id: 'm1' }, take(10))).applied).toBe(true)
      expect(await balance()).toBe(70)
    }))

  it('results of the statements come back without the note', () =>
    withDatabase(async (db) => {
      const sql = 'UPDATE account SET balance = balance - 1 RETURNING balance'
      const effect = await effectOnce(db, { scope, id: 'm1' }, [{ sql }])
      expect(effect.applied && effect.outcome.results.map(({ rows }) => rows)).toEqual([
        [{ balance: 99 }],
      ])
    }))

  it('G-9: bad names are refused', () =>
    withDatabase(async (db) => {
      for (const bad of [{ id: '' }, { id: 'x'.repeat(401) }, { scope: ' ' }, { table: 'a; b' }]) {
        const work = effectOnce(db, { scope, id: 'm1', ...bad }, take(1))
        await expect(work).rejects.toThrow(InvalidArgumentError)
      }
    }))
})

describe('participant', () => {
  it('applies once and undoes once', () =>
    withDatabase(async (db, balance) => {
      const bank = participant(db, { scope })
      expect(await bank.apply('s/1', take(10), 'ok')).toMatchObject({ first: true, result: 'ok' })
      expect(await bank.apply('s/1', take(10), '?')).toMatchObject({ first: false, result: 'ok' })
      expect(await balance()).toBe(90)
      expect(await bank.undo('s/1', give(10))).toEqual({ status: 'undone', was: 'applied' })
      expect(await bank.undo('s/1', give(10))).toEqual({ status: 'undone', was: 'undone' })
      expect(await balance()).toBe(100)
      expect(await bank.apply('s/1', take(10))).toEqual({ status: 'undone' })
      expect(await balance()).toBe(100)
    }))

  it('SG-2, G-5: undone before it came: the late original is refused', () =>
    withDatabase(async (db, balance) => {
      const bank = participant(db, { scope })
      expect(await bank.undo('s/1', give(10))).toEqual({ status: 'undone', was: 'nothing' })
      expect(await bank.apply('s/1', take(10))).toEqual({ status: 'undone' })
      expect(await balance()).toBe(100)
    }))

  it('a refusal stands, and needs no undoing', () =>
    withDatabase(async (db, balance) => {
      const bank = participant(db, { scope })
      expect(await bank.apply('s/1', take(1_000))).toEqual({ status: 'refused', refusedAt: 0 })
      expect(await bank.apply('s/1', take(1))).toEqual({ status: 'refused' })
      expect(await bank.undo('s/1', give(1_000))).toEqual({ status: 'undone', was: 'nothing' })
      expect(await balance()).toBe(100)
    }))

  it('an original and its undoing at the same instant leave nothing behind', () =>
    withDatabase(async (db, balance) => {
      const bank = participant(db, { scope })
      const ids = Array.from({ length: 20 }, (_, index) => `s/${index}`)
      await Promise.all(ids.flatMap((id) => [bank.apply(id, take(1)), bank.undo(id, give(1))]))
      await Promise.all(ids.flatMap((id) => [bank.undo(id, give(1)), bank.apply(id, take(1))]))
      expect(await balance()).toBe(100)
    }))

  it('an undoing that cannot be done says so and changes nothing', () =>
    withDatabase(async (db, balance) => {
      const bank = participant(db, { scope })
      await bank.apply('s/1', take(10))
      expect(await bank.undo('s/1', take(1_000))).toMatchObject({ status: 'refused', refusedAt: 0 })
      expect(await balance()).toBe(90)
      expect(await bank.undo('s/1', give(10))).toMatchObject({ was: 'applied' })
    }))
})
