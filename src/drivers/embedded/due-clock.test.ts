import { describe, expect, it } from 'vitest'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { type EmbeddedStores, embedded } from './embedded.ts'

const hourMs = 3_600_000
const claim = { limit: 10, leaseMs: 1_000, consumer: 'c', kinds: ['k'] }

/** A queue and a space with one thing in each that falls due in ten seconds. */
function dueInTenSeconds(
  body: (world: World, runtime: Runtime, stores: EmbeddedStores) => Promise<void>,
): Promise<void> {
  return inVirtualTime(async (world, runtime) => {
    const stores = await embedded(runtime, { path: '/due.db', namespace: 'due' })
    await stores.work.declare('q', { lengthMax: 10, overflow: 'reject', dedupMs: 0 })
    await stores.work.publish('q', [{ id: 'a', kind: 'k', body: '', delayMs: 10_000 }])
    const record = {
      space: 's',
      key: 'a',
      value: '1',
      expected: 'absent',
      dueInMs: 10_000,
    } as const
    await stores.records.put(record)
    await body(world, runtime, stores)
    await stores.close()
  })
}

/** Another process, which has not seen what the first has seen. */
const opened = (runtime: Runtime): Promise<EmbeddedStores> =>
  embedded(runtime, { path: '/due.db', namespace: 'due' })

async function dueNow({ work, records }: EmbeddedStores): Promise<readonly [number, number]> {
  const { ready } = await work.stats('q')
  return [ready, (await records.due('s', 10)).length]
}

describe('due times while the wall clock is set', () => {
  it('QD-1: a step back delays nothing: time goes on as the monotonic clock counts it', () =>
    dueInTenSeconds(async (world, runtime, stores) => {
      world.faults.stepWallClock('machine', -hourMs)
      await sleep(runtime.timers, 9_000)
      expect(await dueNow(stores)).toEqual([0, 0])
      await sleep(runtime.timers, 1_100)
      expect(await dueNow(stores)).toEqual([1, 1])
      const other = await opened(runtime)
      expect(await dueNow(other)).toEqual([1, 1])
      await other.close()
    }))

  it('QD-1: what was delivered once is due for ever, also after a step back', () =>
    dueInTenSeconds(async (world, runtime, stores) => {
      world.faults.stepWallClock('machine', hourMs)
      expect(await stores.work.claim('q', claim)).toHaveLength(1)
      world.faults.stepWallClock('machine', -2 * hourMs)
      await sleep(runtime.timers, 1_100)
      const other = await opened(runtime)
      expect(await other.work.claim('q', claim)).toHaveLength(1)
      await other.close()
    }))

  it('QD-1: a step forward is believed, and later delays run as usual', () =>
    dueInTenSeconds(async (world, runtime, { work, records }) => {
      world.faults.stepWallClock('machine', hourMs)
      const [delivery] = await work.claim('q', claim)
      expect(delivery?.message.id).toBe('a')
      expect(await records.due('s', 10)).toHaveLength(1)
      world.faults.stepWallClock('machine', -hourMs)
      await work.publish('q', [{ id: 'b', kind: 'k', body: '', delayMs: 5_000 }])
      await sleep(runtime.timers, 4_900)
      expect((await work.stats('q')).delayed).toBe(1)
      await sleep(runtime.timers, 200)
      expect((await work.stats('q')).delayed).toBe(0)
    }))

  it('QD-1: a clock that was ahead before a reboot does not stop time after it', () =>
    inVirtualTime(async (world, runtime) => {
      const host = world.machine('host')
      const seen: string[] = []
      host.process('life', async (own) => {
        const stores = await embedded(own, { path: '/due.db', namespace: 'due' })
        const { records } = stores
        if ((await records.get('s', 'a')) === undefined) {
          world.faults.stepWallClock('host', hourMs)
          const write = { space: 's', key: 'a', value: '1', expected: 'absent' } as const
          await records.put({ ...write, dueInMs: 10_000 })
          world.faults.stepWallClock('host', -hourMs)
          await new Promise<never>(() => {})
        }
        const sinceMs = own.clock.monotonicMs()
        while ((await records.due('s', 10)).length === 0) await sleep(own.timers, 100)
        seen.push(`due after ${Math.round((own.clock.monotonicMs() - sinceMs) / 1_000)} s`)
      })
      await sleep(runtime.timers, 2_000)
      host.crash()
      host.restart()
      await sleep(runtime.timers, 60_000)
      expect(seen).toEqual(['due after 10 s'])
    }))

  it('QD-1, QD-3: a delayed message wakes a watcher when it falls due, not at the next poll', () =>
    inVirtualTime(async (_world, runtime) => {
      const stores = await embedded(runtime, { path: '/due.db', namespace: 'due', pollMs: 60_000 })
      await stores.work.declare('q', { lengthMax: 10, overflow: 'reject', dedupMs: 0 })
      const sinceMs = runtime.clock.monotonicMs()
      const lateness = new Promise<number>((resolve) => {
        stores.work.watch('q', async () => {
          if ((await stores.work.claim('q', claim)).length === 0) return
          resolve(runtime.clock.monotonicMs() - sinceMs - 5_000)
        })
      })
      await stores.work.publish('q', [{ id: 'a', kind: 'k', body: '', delayMs: 5_000 }])
      const lateMs = await lateness
      expect(lateMs).toBeGreaterThanOrEqual(0)
      expect(lateMs).toBeLessThan(100)
      await stores.close()
    }))
})
