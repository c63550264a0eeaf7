import { expectClean, redisEngine, simulate } from 'holdfast/testing'
import { describe, expect, it } from 'vitest'
import { holdfast } from '../../index.ts'
import {
  brokerEngine,
  embeddedEngine,
  etcdEngine,
  inVirtualTime,
  zookeeperEngine,
} from '../index.ts'

describe('engines, through the public name', () => {
  it('the smallest example of the README runs', async () => {
    let got = 0
    const report = await simulate({ seeds: 10 }, (world) => {
      const redis = redisEngine(world)
      world.client('worker', async (runtime) => {
        await new Promise<void>((done) => {
          runtime.timers.schedule(1_000, done)
        })
        const { leases } = redis.connect(runtime)
        if (await leases.acquire({ name: 'invoice/42', ttlMs: 5_000, attemptId: 'a' })) got += 1
      })
    })
    expectClean(report)
    expect(got).toBeGreaterThanOrEqual(10)
  })

  it('an engine is a driver: the front door takes a lock on another machine', () =>
    inVirtualTime(async (world, runtime) => {
      const store = embeddedEngine(world)
      await new Promise<void>((done) => {
        runtime.timers.schedule(100, done)
      })
      const node = await holdfast({
        namespace: 'shop',
        runtime,
        leases: store,
        registry: store,
        records: store,
        work: store,
      })
      const lock = await node.lock('invoice/42', { ttlMs: 10_000 })
      expect(lock.token).toBeGreaterThan(0n)
      const { leases } = store.connect(runtime, { namespace: 'shop' })
      expect(await leases.list('', { limit: 10 })).toHaveLength(1)
      await lock.release()
      expect(await leases.list('', { limit: 10 })).toHaveLength(0)
      await node.close()
    }))

  it('QU-1, LK-1: each port on the model of another engine, and the same words', () =>
    inVirtualTime(async (world, runtime) => {
      const keeper = zookeeperEngine(world)
      await new Promise<void>((done) => {
        runtime.timers.schedule(1_000, done)
      })
      const node = await holdfast({
        namespace: 'shop',
        runtime,
        leases: keeper,
        registry: keeper,
        records: etcdEngine(world),
        work: brokerEngine(world),
      })
      const got: unknown[] = []
      const orders = node.queue<{ sku: string }>('orders')
      await orders.consume((order) => void got.push(order), { concurrency: 2 })
      await orders.send({ sku: 'sku-001' })
      await expect(orders.send({ sku: 'sku-002' }, { key: 'k' })).rejects.toThrow('order by key')
      const lock = await node.lock('invoice/42', { ttlMs: 10_000 })
      expect(await node.tryLock('invoice/42', { ttlMs: 10_000 })).toBeUndefined()
      expect(await lock.release()).toBe(true)
      await new Promise<void>((done) => {
        runtime.timers.schedule(2_000, done)
      })
      expect(got).toEqual([{ sku: 'sku-001' }])
      await node.close()
    }))
})
