/** Both ways to let promises settle between two events give the same world. */
import { expect, it } from 'vitest'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { simulateOn } from '../simulate.ts'
import type { World } from '../world.ts'
import { nodePlatform } from './platform.ts'

function scenario(world: World): void {
  for (const name of ['a', 'b']) {
    const writer = async (own: Runtime): Promise<void> => {
      const file = await own.sql.open({ path: 'f', migrations: ['CREATE TABLE t (n INTEGER)'] })
      for (let n = 0; ; n++) {
        await file.run({ statements: [{ sql: 'INSERT INTO t VALUES (?1)', parameters: [n] }] })
        await Promise.all([sleep(own.timers, 50), Promise.resolve().then(() => n)])
        own.probe.note('wrote', { n })
      }
    }
    world.machine(name).process('writer', writer, { mayThrow: true })
  }
  world.client('client', (runtime) => sleep(runtime.timers, 2_000))
}

it('draining in place and turn by turn give the same traces', async () => {
  const options = { seeds: 10, faults: 'all', durationMs: 3_000 } as const
  const inPlace = await simulateOn(nodePlatform(), options, scenario)
  const byTurns = await simulateOn(nodePlatform({ byTurns: true }), options, scenario)
  expect(inPlace.failures).toEqual([])
  expect(byTurns.traceHash).toBe(inPlace.traceHash)
  expect(byTurns.events).toBe(inPlace.events)
})

it('both report an error that nobody caught', async () => {
  for (const byTurns of [false, true]) {
    const report = await simulateOn(nodePlatform({ byTurns }), {}, (world) => {
      world.machine('m').process('p', async (own) => {
        await sleep(own.timers, 1)
        void Promise.reject(new Error('lost'))
        await new Promise(() => {})
      })
      world.client('client', (runtime) => sleep(runtime.timers, 100))
    })
    expect(report.failures[0]?.name).toBe('uncaught error of m/p')
  }
})
