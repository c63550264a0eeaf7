/**
 * Disks that tear, fill up, fail to sync, rot and vanish. Each fault is tried on a careful program, which
 * must survive it, and on a careless one, which must be caught: a fault that harms nobody is no fault.
 */
import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import {
  type Fault,
  type FaultKind,
  inVirtualTime,
  type SimulationReport,
  simulate,
  type World,
} from '../../testing/index.ts'

const fault = (kind: FaultKind, atMs: number, durationMs: number, amount = 1): Fault => ({
  id: `${kind}@${atMs}`,
  kind,
  atMs,
  durationMs,
  target: kind === 'kill' ? 'm/p' : 'm',
  amount,
})

const forever = (): Promise<never> => new Promise(() => {})

/** Rewrites one record of 400 equal bytes over and over, without a checksum. */
function unchecked(world: World): void {
  let torn = 0
  world.invariant('whole records', () => torn === 0 || 'half a record is new, half is old')
  world.machine('m').process('p', async (own) => {
    const file = await own.disk.open('records', 'create')
    await own.disk.syncDirectory('.')
    const found = await file.readAt(0, 400)
    if (new Set(found).size > 1) torn++
    await file.writeAt(0, new Uint8Array(400))
    await file.sync()
    for (let n = 1; ; n = (n % 250) + 1) {
      await file.writeAt(0, new Uint8Array(400).fill(n))
      await file.sync()
    }
  })
  world.client('c', (runtime) => sleep(runtime.timers, 5_000))
}

const crashes = (kind: FaultKind): readonly Fault[] =>
  [500, 1_500, 2_500, 3_500].map((atMs) => fault(kind, atMs, 100))

describe('a torn write', () => {
  it('breaks who trusts a sector to be whole; a plain power cut never does', async () => {
    const torn = await simulate({ seeds: 20, plan: crashes('torn-write') }, unchecked)
    expect(torn.failures[0]?.name).toBe('whole records')
    const whole = await simulate({ seeds: 20, plan: crashes('machine-crash') }, unchecked)
    expect(whole.failures).toEqual([])
  })
})

describe('a full disk', () => {
  it('refuses what grows, lets in what does not, and nothing has happened', async () => {
    let answers: unknown[] = []
    const report = await simulate({ plan: [fault('disk-full', 100, 1_000)] }, (world) => {
      world.machine('m').client('c', async (own) => {
        const file = await own.disk.open('f', 'create')
        await file.writeAt(0, Uint8Array.of(1, 2))
        const sql = await own.sql.open({ path: 's', migrations: ['CREATE TABLE t (n)'] })
        const insert = (): Promise<unknown> =>
          sql.run({ statements: [{ sql: 'INSERT INTO t VALUES (1)' }] })
        await sleep(own.timers, 200)
        const refused = (work: Promise<unknown>): Promise<unknown> =>
          work.then(
            () => 'done',
            (error) => error instanceof UnavailableError,
          )
        answers = [
          await refused(file.writeAt(1, Uint8Array.of(3, 4))),
          await refused(file.writeAt(0, Uint8Array.of(9))),
          await refused(own.disk.open('g', 'create')),
          await refused(insert()),
          [...(await file.readAt(0, 9))],
        ]
        await sleep(own.timers, 1_000)
        const { results } = await sql.run({ statements: [{ sql: 'SELECT count(*) AS n FROM t' }] })
        answers.push(results[0]?.rows[0]?.n, await refused(insert()))
      })
    })
    expect(report.failures).toEqual([])
    expect(answers).toEqual([true, 'done', true, true, [9, 2], 0, 'done'])
  })
})

/** Writes 1 and syncs; after a failure either tries the sync again, or writes anew first. */
function syncing(rewrites: boolean): (world: World) => void {
  return (world) => {
    let promised = false
    world.machine('m').process('p', async (own) => {
      const file = await own.disk.open('f', 'create')
      await own.disk.syncDirectory('.').catch(() => {})
      const [found = 0] = await file.readAt(0, 1)
      if (promised && found !== 1) world.fail('durable', 'what was synced is gone')
      await sleep(own.timers, 100)
      await file.writeAt(0, Uint8Array.of(1))
      while (!promised) {
        const synced = await file.sync().then(
          () => true,
          (error) => !(error instanceof OutcomeUnknownError),
        )
        if (synced) promised = true
        else if (rewrites) await file.writeAt(0, Uint8Array.of(1))
        await sleep(own.timers, 50)
      }
      await forever()
    })
    world.client('c', (runtime) => sleep(runtime.timers, 3_000))
  }
}

describe('a sync that fails', () => {
  const plan = [fault('sync-failure', 50, 300), fault('machine-crash', 1_000, 100)]

  it('and is tried again says yes to pages that are gone: who writes anew is safe', async () => {
    const careless = await simulate({ seeds: 20, plan }, syncing(false))
    expect(careless.failures[0]?.name).toBe('durable')
    const careful = await simulate({ seeds: 20, plan }, syncing(true))
    expect(careful.failures).toEqual([])
  })

  it('hides an SQL commit, and a power cut may bring it back', async () => {
    let hidden = 0
    let back = 0
    const doubt = { plan: [fault('sync-failure', 200, 1_000), fault('machine-crash', 1_500, 100)] }
    await simulate({ ...doubt, seeds: 30, failuresMax: 30 }, (world) => {
      let refused: boolean | undefined
      const table = 'CREATE TABLE t (n)'
      world.machine('m').process('p', async (own) => {
        const sql = await own.sql.open({ path: 's', migrations: [table] })
        const found = { sql: 'SELECT n FROM t' }
        const there = async (): Promise<boolean> => {
          const { results } = await sql.run({ mode: 'read', statements: [found] })
          return results[0]?.rows.length === 1
        }
        if (refused !== undefined) {
          if (refused && (await there())) back++
          return forever()
        }
        await sleep(own.timers, 500)
        const insert = { sql: 'INSERT INTO t VALUES (1)' }
        const failed = await sql.run({ statements: [insert] }).then(
          () => undefined,
          (error) => error,
        )
        refused = failed instanceof OutcomeUnknownError
        if (refused && !(await there())) hidden++
        return forever()
      })
      world.client('c', (runtime) => sleep(runtime.timers, 3_000))
    })
    expect(hidden).toBeGreaterThan(20)
    expect(back).toBeGreaterThan(5)
    expect(back).toBeLessThan(hidden)
  })
})

/** Three copies of a sector; the reader either asks one or believes two. */
function replicated(votes: boolean): (world: World) => void {
  return (world) => {
    const read = new Map<string, () => Promise<number>>()
    const names = ['m', 'n', 'o']
    for (const name of names) {
      world.machine(name).process('p', async (own) => {
        const file = await own.disk.open('f', 'create')
        if ((await file.sizeBytes()) === 0) {
          await file.writeAt(0, new Uint8Array(512).fill(7))
          await file.sync()
          await own.disk.syncDirectory('.')
        }
        read.set(name, async () => {
          const wrong = (await file.readAt(0, 512)).findIndex((byte) => byte !== 7)
          return wrong < 0 ? 7 : 0
        })
        await forever()
      })
    }
    world.client('c', async (own) => {
      for (let round = 0; round < 20; round++) {
        await sleep(own.timers, 200)
        const values = await Promise.all(names.map((name) => read.get(name)?.() ?? 7))
        const right = values.filter((value) => value === 7).length
        if (votes ? right < 2 : values[0] !== 7) world.fail('content', `${right} of 3 are right`)
      }
    })
  }
}

describe('bit rot', () => {
  const options = { seeds: 40, faults: ['bit-rot'], durationMs: 4_000 } as const

  it('never reaches a majority, and catches who believes a single copy', async () => {
    const voting = await simulate(options, replicated(true))
    expect(voting.failures).toEqual([])
    expect(voting.struck['bit-rot']).toBeGreaterThan(20)
    expect((await simulate(options, replicated(false))).failures[0]?.name).toBe('content')
  })

  it('spares what has no copy: nobody could mend it', async () => {
    const report = await simulate(options, (world) => {
      unchecked(world)
    })
    expect(report.failures).toEqual([])
    expect(report.struck['bit-rot']).toBeUndefined()
  })
})

describe('the loss of a machine', () => {
  const lives = async (names: readonly string[]): Promise<[SimulationReport, number]> => {
    let forgot = 0
    const options = { seeds: 30, faults: ['machine-loss'], durationMs: 3_000 } as const
    const report = await simulate(options, (world) => {
      const started = new Set<string>()
      for (const name of names) {
        world.machine(name).process('p', async (own: Runtime) => {
          const file = await own.disk.open('f', 'create')
          const sql = await own.sql.open({ path: 's', migrations: ['CREATE TABLE t (n)'] })
          const { results } = await sql.run({
            statements: [{ sql: 'SELECT count(*) AS n FROM t' }],
          })
          const empty = (await file.sizeBytes()) === 0
          expect(results[0]?.rows[0]?.n === 0).toBe(empty)
          if (started.has(name) && empty) forgot++
          await file.writeAt(0, Uint8Array.of(1))
          await file.sync()
          await own.disk.syncDirectory('.')
          await sql.run({ statements: [{ sql: 'INSERT INTO t VALUES (1)' }] })
          started.add(name)
          await forever()
        })
      }
      world.client('patience', (runtime) => sleep(runtime.timers, 3_000))
    })
    return [report, forgot]
  }

  it('takes files and SQL of a minority, and never of the only one', async () => {
    const [three, forgot] = await lives(['a', 'b', 'c'])
    expect(three.failures).toEqual([])
    expect(forgot).toBeGreaterThan(10)
    // Some are lost before they ever stored anything.
    expect(forgot).toBeLessThanOrEqual(three.struck['machine-loss'] ?? 0)
    const [one] = await lives(['a'])
    expect(one.struck['machine-loss']).toBeUndefined()
  })
})

it('a disk without faults is untouched by all this', async () => {
  await inVirtualTime(async (_world, own) => {
    const file = await own.disk.open('f', 'create')
    await file.writeAt(0, Uint8Array.of(1, 2, 3))
    await file.sync()
    expect([...(await file.readAt(0, 3))]).toEqual([1, 2, 3])
  })
})
