/**
 * A counter guarded by a lock in a redis-like store, while the primary dies with writes that its replica
 * never saw. Two may then hold the lock. What becomes of the counter depends on its own guard alone.
 *
 * The judge: every acknowledged increment is in the counter (`lost-update`).
 */
import type { LeaseStore } from '../../ports/lease-store.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import { embeddedEngine } from './embedded-engine.ts'
import { settled } from './engine-leases.sim.ts'
import { redisEngine } from './redis-engine.ts'

export interface RedisTrial {
  /**
   * `none`: whoever believes to hold the lock writes. `external`: the counter's own store gives each
   * holder an epoch, and takes writes of the newest epoch only.
   */
  readonly fence: 'none' | 'external'
  /** Does the primary die? */
  readonly failover: boolean
}

const space = 'resource'
const ttlMs = 6_000

export function redisTrial({ fence, failover }: RedisTrial): (world: World) => void {
  return (world) => {
    const redis = redisEngine(world, { lagMs: 800, downAfterMs: 600 })
    const resource = embeddedEngine(world, { machine: 'resource' })
    let acknowledged = 0

    async function section(runtime: Runtime, leases: LeaseStore, records: RecordStore) {
      const attemptId = runtime.random.id('worker')
      const lease = await settled(world, () =>
        leases.acquire({ name: 'counter', ttlMs, attemptId }),
      )
      if (lease === undefined) return
      const epoch = { space, key: 'epoch', value: '0', expected: 'any' } as const
      let guard = await settled(world, () => records.put(epoch))
      for (let round = 0; round < 6 && guard !== undefined; round += 1) {
        const read = await settled(world, async () => [await records.get(space, 'counter')])
        if (read === undefined) break
        const seen = Number(read[0]?.value ?? '0')
        await sleep(runtime.timers, 50 + 400 * runtime.random.fraction('think'))
        // Time enough for the write to arrive within the lease: the clock is not to blame.
        if (lease.validUntilMs < runtime.clock.monotonicMs() + 500) break
        const write = { space, key: 'counter', value: String(seen + 1), expected: 'any' } as const
        const guarded = { ...epoch, expected: guard }
        const versions = await settled(world, () =>
          records.putAll(fence === 'external' ? [guarded, write] : [write]),
        )
        if (versions === undefined) {
          world.reached('a write was refused or unknown')
          break
        }
        acknowledged += 1
        if (fence === 'external') guard = versions[0]
      }
      await settled(world, () => leases.release(lease))
    }

    for (const name of ['a', 'b', 'c']) {
      world.client(name, async (runtime) => {
        const { leases } = redis.connect(runtime)
        const { records } = resource.connect(runtime)
        while (world.nowMs() < 20_000) {
          await section(runtime, leases, records)
          await sleep(runtime.timers, 200 * runtime.random.fraction('rest'))
        }
      })
    }
    if (failover) {
      world.client('fate', async (runtime) => {
        for (let deaths = 0; deaths < 3; deaths += 1) {
          await sleep(runtime.timers, 2_000 + 3_000 * runtime.random.fraction('fate'))
          const primary = redis.primary()
          primary.kill()
          await sleep(runtime.timers, 1_500)
          primary.restart()
        }
        if (redis.failovers() > 0) world.reached('the replica took over')
      })
    }
    world.afterHealing('the counter has every acknowledged increment', async (runtime) => {
      const { records } = resource.connect(runtime)
      const value = Number((await records.get(space, 'counter'))?.value ?? '0')
      if (value < acknowledged) {
        world.fail('lost-update', `the counter is ${value} after ${acknowledged} increments`)
      }
      if (acknowledged > 20) world.reached('there was work')
    })
  }
}
