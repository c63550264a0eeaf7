/** Where a kill, a pause or a neighbour can get between a batch and its answer. */
import { describe, expect, it } from 'vitest'
import { StoreBusyError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { SqlBatch, SqlFile, SqlOpenOptions } from '../../runtime/sql.ts'
import { expectClean, inVirtualTime, simulate } from '../../testing/index.ts'

const options = { path: 'a.db', migrations: ['CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT'] }
const insert = (n: number): SqlBatch => ({
  statements: [{ sql: 'INSERT INTO t VALUES (?1)', parameters: [n] }],
})
async function stored(file: SqlFile): Promise<number[]> {
  const { results } = await file.run({
    mode: 'read',
    statements: [{ sql: 'SELECT n FROM t ORDER BY n' }],
  })
  return (results[0]?.rows ?? []).map((row) => Number(row.n))
}
const never = (): Promise<never> => new Promise(() => {})

describe('simulated SQL', () => {
  it('a kill at random: nothing acknowledged is lost, and the three outcomes all occur', async () => {
    const seen = { answered: 0, unanswered: 0, absent: 0 }
    const report = await simulate({ seeds: 300, twiceEvery: 100 }, (world) => {
      const machine = world.machine('m')
      let answered = 0
      const victim = machine.process('victim', async (own) => {
        const file = await own.sql.open(options)
        for (let n = 1; ; n++) {
          await file.run(insert(n))
          answered = n
        }
      })
      machine.client('client', async (runtime) => {
        await sleep(runtime.timers, 4 + runtime.random.fraction('when'))
        victim.kill()
        const rows = await stored(await runtime.sql.open(options))
        if (rows.length < answered) world.fail('lost', `${rows.length} of ${answered}`)
        if (rows.length > answered + 1) world.fail('ghost', `${rows.length} of ${answered}`)
        if (rows.length === answered + 1) seen.unanswered++
        else if (answered > 0) seen.absent++
        if (answered > 0) seen.answered++
      })
    })
    expectClean(report, 300)
    expect(seen.unanswered).toBeGreaterThan(3)
    expect(seen.absent).toBeGreaterThan(3)
  })

  it('batches of one process run in the order sent; a refused one leaves its group alone', async () => {
    await inVirtualTime(async (_world, runtime) => {
      const file = await runtime.sql.open(options)
      const log: string[] = []
      const send = (batch: SqlBatch, name: string): Promise<unknown> =>
        file.run(batch).then(
          ({ refusedAt }) => log.push(refusedAt === undefined ? name : `${name} refused`),
          (error: Error) => log.push(`${name} ${error.name}`),
        )
      const none = {
        statements: [{ sql: 'DELETE FROM t WHERE n = ?1', parameters: [99], expect: 1 }],
      }
      await Promise.all([
        send(insert(1), 'first'),
        send(none, 'second'),
        send(insert(1), 'third'),
        send(insert(2), 'fourth'),
      ])
      expect(log).toEqual(['first', 'second refused', 'third InvalidArgumentError', 'fourth'])
      expect(await stored(file)).toEqual([1, 2])
    })
  })

  it('G-14c: a writer paused inside its commit keeps others out for busyMs, then is named', async () => {
    const busy: unknown[] = []
    const report = await simulate({ seeds: 20 }, (world) => {
      const machine = world.machine('m')
      const writer = machine.process('writer', async (own) => {
        const file = await own.sql.open(options)
        for (let n = 1; ; n++) await file.run(insert(n))
      })
      machine.client('client', async (runtime) => {
        await sleep(runtime.timers, 5)
        writer.pause(60_000)
        const file = await runtime.sql.open({ ...options, busyMs: 2_000 }).catch(note)
        await file?.run(insert(-1)).catch(note)
        // Whoever reads waits for nobody.
        if (file !== undefined) await stored(file)
        await sleep(runtime.timers, 60_000)
        const again = await runtime.sql.open(options)
        await again.run(insert(-2))
      })
    })
    function note(error: unknown): undefined {
      busy.push(error)
    }
    expectClean(report, 20)
    expect(busy.length).toBeGreaterThan(0)
    expect(busy.every((error) => error instanceof StoreBusyError)).toBe(true)
    expect(String(busy[0])).toContain('m/writer holds the write lock')
  })

  it('a killed writer frees the lock at once', async () => {
    await inVirtualTime(async (world, runtime) => {
      const writer = world.machine('machine').process('writer', async (own) => {
        const file = await own.sql.open(options)
        for (let n = 1; ; n++) await file.run(insert(n))
      })
      await sleep(runtime.timers, 5)
      writer.pause(60_000)
      await sleep(runtime.timers, 5)
      writer.kill()
      const file = await runtime.sql.open({ ...options, busyMs: 100 })
      await file.run(insert(-1))
    })
  })

  it('migrations run once, in order, and an older program is refused', async () => {
    await inVirtualTime(async (_world, runtime) => {
      const next = { ...options, migrations: [...options.migrations, 'INSERT INTO t VALUES (5)'] }
      await runtime.sql.open(options)
      expect(await stored(await runtime.sql.open(next))).toEqual([5])
      expect(await stored(await runtime.sql.open(next))).toEqual([5])
      await expect(runtime.sql.open(options)).rejects.toMatchObject({ code: 'format-too-new' })
      const broken: SqlOpenOptions = {
        path: 'b.db',
        migrations: ['CREATE TABLE u (n)', 'NONSENSE'],
      }
      await expect(runtime.sql.open(broken)).rejects.toMatchObject({ code: 'invalid-argument' })
      const tried = await runtime.sql.open({ path: 'b.db', migrations: ['CREATE TABLE u (n)'] })
      await tried.close()
    })
  })

  it('hints wake processes of the machine that listen, and may all be lost', async () => {
    const heard = async (runtime: Runtime, lost: boolean): Promise<number> => {
      const file = await runtime.sql.open(options)
      let wakes = 0
      const stop = file.listen('t', () => wakes++)
      file.listen('other', () => {
        throw new Error('a hint of another topic')
      })
      await file.run({ ...insert(lost ? 1 : 2), hints: ['t'] })
      await sleep(runtime.timers, 1_000)
      stop()
      await file.run({ ...insert(lost ? 3 : 4), hints: ['t'] })
      await sleep(runtime.timers, 1_000)
      return wakes
    }
    await inVirtualTime(async (world, runtime) => {
      world.faults.loss(1)
      expect(await heard(runtime, true)).toBe(0)
      world.faults.heal()
      expect(await heard(runtime, false)).toBe(1)
    })
  })

  it('a closed file finishes what was sent and takes no more', async () => {
    await inVirtualTime(async (_world, runtime) => {
      const file = await runtime.sql.open(options)
      const sent = file.run(insert(1))
      await file.close()
      await sent
      await expect(file.run(insert(2))).rejects.toMatchObject({ code: 'closed' })
      const bytes = Uint8Array.of(1)
      await expect(
        file.run({ statements: [{ sql: 'SELECT ?1', parameters: [bytes] }] }),
      ).rejects.toMatchObject({ code: 'closed' })
    })
  })

  it('two processes can increment one row without losing any', async () => {
    const report = await simulate({ seeds: 20, faults: ['kill', 'slow-disk'] }, (world) => {
      const machine = world.machine('m')
      let acknowledged = 0
      let sent = 0
      for (const name of ['a', 'b', 'c']) {
        machine.process(name, async (own) => {
          const file = await own.sql.open({
            path: 'count.db',
            migrations: ['CREATE TABLE c (n INTEGER); INSERT INTO c VALUES (0)'],
          })
          for (let round = 0; round < 20; round++) {
            sent++
            await file.run({ statements: [{ sql: 'UPDATE c SET n = n + 1' }] })
            acknowledged++
          }
          await never()
        })
      }
      machine.client('client', (runtime) => sleep(runtime.timers, 55_000))
      world.afterHealing(
        'sum',
        async (own) => {
          const file = await own.sql.open({ path: 'count.db', migrations: ['', ''] })
          const read: SqlBatch = { mode: 'read', statements: [{ sql: 'SELECT n FROM c' }] }
          const n = Number((await file.run(read)).results[0]?.rows[0]?.n)
          if (n < acknowledged || n > sent) {
            world.fail('sum', `${acknowledged} acknowledged, ${sent} sent, ${n} stored`)
          }
        },
        { machine: 'm' },
      )
    })
    expectClean(report, 10)
  })
})
