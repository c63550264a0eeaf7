import { describe, expect, it } from 'vitest'
import { LeaseLostError, UnavailableError } from '../../errors.ts'
import { CheckFailed } from '../../ports/check.ts'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import type { LeaseStore } from '../../ports/lease-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import { inVirtualTime } from '../index.ts'
import { runEngineCase, titleOf } from './engine-trial.ts'
import {
  type RedisEngine,
  type RedisEngineOptions,
  type RedisEngineStores,
  redisEngine,
} from './redis-engine.ts'

const trial = {
  engine: redisEngine,
  pick: ({ leases }: RedisEngineStores): LeaseStore => leases,
}

describe('redis-like, in virtual time', () => {
  for (const one of leaseStoreConformance) {
    it(titleOf(one), async ({ skip }) => {
      const reason = await runEngineCase(one, trial)
      if (reason !== undefined) skip(reason)
    })
  }
})

function withRedis(
  options: RedisEngineOptions,
  body: (world: World, runtime: Runtime, redis: RedisEngine) => Promise<void>,
): Promise<void> {
  return inVirtualTime(async (world, runtime) => {
    const redis = redisEngine(world, options)
    await sleep(runtime.timers, 2_000)
    await body(world, runtime, redis)
  })
}

const request = { name: 'n', ttlMs: 30_000 }

describe('a failover of the redis-like store', () => {
  it('LR-2, LR-7: loses the last grant, so two hold the name, under one token', () =>
    withRedis({ lagMs: 1_000 }, async (_world, runtime, redis) => {
      const { leases } = redis.connect(runtime)
      const first = await leases.acquire({ ...request, attemptId: 'a' })
      redis.primary().kill()
      await sleep(runtime.timers, 4_000)
      expect(redis.failovers()).toBe(1)
      const second = await redis.connect(runtime).leases.acquire({ ...request, attemptId: 'b' })
      const nowMs = runtime.clock.monotonicMs()
      expect(first?.validUntilMs, 'the first believes in it').toBeGreaterThan(nowMs)
      expect(second?.validUntilMs, 'and so does the second').toBeGreaterThan(nowMs)
      expect(second?.token, 'the token is no fence here').toBe(first?.token)
      await expect(first && leases.renew(first, 30_000)).rejects.toThrow(LeaseLostError)
    }))

  it('LR-2: keeps what the replica had heard of', () =>
    withRedis({ lagMs: 100 }, async (_world, runtime, redis) => {
      const { leases } = redis.connect(runtime)
      const first = await leases.acquire({ ...request, attemptId: 'a' })
      await sleep(runtime.timers, 500)
      redis.failOver()
      await sleep(runtime.timers, 2_000)
      expect(redis.failovers()).toBe(1)
      const other = redis.connect(runtime).leases
      expect(await other.acquire({ ...request, attemptId: 'b' })).toBeUndefined()
      // The old primary is a replica now: the first to ask it is sent away, and asks elsewhere.
      await expect(first && leases.renew(first, 30_000)).rejects.toThrow(UnavailableError)
      expect(first && (await leases.renew(first, 30_000)).token).toBe(first?.token)
    }))

  it('LR-2: a primary cut off from its sentinel goes on granting: a split brain', () =>
    withRedis({ lagMs: 50 }, async (world, runtime, redis) => {
      const old = redis.connect(runtime).leases
      await old.list('', { limit: 1 })
      world.faults.partition('redis-1', 'redis-sentinel')
      world.faults.partition('redis-1', 'redis-2')
      await sleep(runtime.timers, 5_000)
      expect(redis.failovers()).toBe(1)
      const young = redis.connect(runtime).leases
      const both = [
        await old.acquire({ ...request, attemptId: 'a' }),
        await young.acquire({ ...request, attemptId: 'b' }),
      ]
      expect(
        both.every((lease) => lease !== undefined),
        'both have it',
      ).toBe(true)
      world.faults.heal()
      await sleep(runtime.timers, 5_000)
      const [loser] = both
      await expect(loser && old.renew(loser, 30_000)).rejects.toThrow()
      await expect(loser && old.renew(loser, 30_000)).rejects.toThrow(LeaseLostError)
    }))
})

describe('the cases turn red when', () => {
  it('G-14: a release looks at the name alone', async () => {
    const one = leaseStoreConformance.find(
      ({ name }) =>
        name === 'a retried release cannot free a later lease, not even of the same client',
    )
    if (one === undefined) throw new Error('there is no such case')
    const broken = (store: LeaseStore): LeaseStore => ({
      ...store,
      release: (lease) => store.evict(lease.name),
    })
    await expect(runEngineCase(one, { ...trial, broken })).rejects.toThrow(CheckFailed)
  })
})
