/** A green seed that did nothing proves nothing: which runs count, and what is said of the others. */
import { describe, expect, it } from 'vitest'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { type Fault, type SimulationReport, simulate, type World } from '../../testing/index.ts'

const kills = (...timesMs: readonly number[]): readonly Fault[] =>
  timesMs.map((atMs, index) => ({
    id: `f${index}`,
    kind: 'kill',
    atMs,
    durationMs: 10,
    target: 'm/p',
  }))

const sqlWriter = async (own: Runtime, untilMs: number): Promise<void> => {
  const file = await own.sql.open({ path: 'f', migrations: ['CREATE TABLE t (n)'] })
  const endMs = own.clock.monotonicMs() + untilMs
  while (own.clock.monotonicMs() < endMs) {
    await file.run({ statements: [{ sql: 'INSERT INTO t VALUES (1)' }] })
  }
  await new Promise(() => {})
}

function worldOf(process: (own: Runtime) => Promise<void>): (world: World) => void {
  return (world) => {
    world.machine('m').process('p', process)
    world.client('c', (own) => sleep(own.timers, 1_000))
  }
}

const idle = (): Promise<never> => new Promise(() => {})
const reasonOf = ({ seedsThatCount, notCounted }: SimulationReport): string =>
  seedsThatCount === 1 ? 'counts' : (Object.keys(notCounted)[0] ?? '')

describe('a seed with faults', () => {
  it('counts with three faults that hit and a commit after the first', async () => {
    const scenario = worldOf((own) => sqlWriter(own, 5_000))
    const report = await simulate({ plan: kills(100, 200, 300) }, scenario)
    expect(reasonOf(report)).toBe('counts')
  })

  it('does not count with two, or with three of which one finds nobody', async () => {
    const scenario = worldOf((own) => sqlWriter(own, 5_000))
    expect(reasonOf(await simulate({ plan: kills(100, 200) }, scenario))).toContain('3 faults')
    const absent = kills(100, 200, 300).map((fault, index) =>
      index === 0 ? { ...fault, target: 'nobody' } : fault,
    )
    expect(reasonOf(await simulate({ plan: absent }, scenario))).toContain('3 faults')
  })

  it('does not count if all commits came before the faults', async () => {
    let lives = 0
    const scenario = worldOf(async (own) => {
      if (lives++ === 0) await sqlWriter(own, 50)
      await idle()
    })
    const report = await simulate({ plan: kills(100, 200, 300), twiceEvery: 1_000 }, scenario)
    expect(reasonOf(report)).toBe('nothing was committed after a fault')
  })

  it('counts a client that ends after a fault where nothing is ever stored', async () => {
    const plan = kills(100, 200, 300)
    expect(reasonOf(await simulate({ plan }, worldOf(idle)))).toBe('counts')
    const told = (world: World): void => {
      worldOf(idle)(world)
      world.committed()
    }
    expect(reasonOf(await simulate({ plan }, told))).toBe('nothing was committed after a fault')
  })

  it('without clients and checks counts from 10,000 events on', async () => {
    const busy = (world: World): void => {
      world.machine('m').process('p', async (own) => {
        for (;;) await sleep(own.timers, 1)
      })
    }
    const run = async (durationMs: number): Promise<string> =>
      reasonOf(await simulate({ durationMs }, busy))
    expect(await run(100)).toContain('fewer than 10000 events')
    expect(await run(11_000)).toBe('counts')
  })
})
