import { describe, expect, it } from 'vitest'
import { embedded } from '../drivers/embedded/index.ts'
import { LeaseLostError } from '../errors.ts'
import { type Runtime, sleep, type Timer } from '../runtime/index.ts'
import { simulate } from '../simulation/node/index.ts'
import { holdLease } from './lease.ts'
import { bench, name, taken, ttlMs } from './lease-bench.sim.ts'

describe('keeping', () => {
  it(
    'LK-3: the lease lives on for as long as it is held, renewed every third of its time',
    bench(async ({ take, line, passMs }) => {
      const lease = await taken(take())
      await passMs(10 * ttlMs)
      expect(lease.isHeld()).toBe(true)
      const renewals = line.arrived.filter((method) => method === 'renew').length
      expect(renewals).toBeGreaterThanOrEqual(28)
      expect(renewals).toBeLessThanOrEqual(34)
      await lease.release()
    }),
  )

  it(
    'LK-3: without renewals the signal aborts before the store gives the name to another',
    bench(async ({ runtime, take, line, store, passMs }) => {
      const lease = await taken(take())
      const startMs = runtime.clock.monotonicMs()
      line.down = true
      let abortedMs = 0
      lease.signal.addEventListener('abort', () => {
        abortedMs = runtime.clock.monotonicMs()
      })
      await passMs(2 * ttlMs)
      expect(abortedMs).toBeGreaterThan(startMs + 0.9 * ttlMs)
      expect(abortedMs).toBeLessThan(startMs + ttlMs)
      expect(lease.signal.reason).toBeInstanceOf(LeaseLostError)
      expect(() => lease.assertHeld()).toThrow(LeaseLostError)
      line.down = false
      expect(await lease.release()).toBe(false)
      expect(await store.list('', { limit: 1 })).toEqual([])
    }),
  )

  it(
    'LK-9: renewal goes on after an outage shorter than the deadline',
    bench(async ({ take, line, passMs }) => {
      const lease = await taken(take())
      for (let outage = 0; outage < 5; outage += 1) {
        line.down = true
        await passMs(0.55 * ttlMs)
        line.down = false
        await passMs(ttlMs / 2)
        expect(lease.isHeld()).toBe(true)
      }
      expect(await lease.release()).toBe(true)
    }),
  )

  it(
    'LK-3: a renewal without an answer is not waited for',
    bench(async ({ take, line, passMs }) => {
      const lease = await taken(take())
      line.held.renew = new Promise(() => {})
      await passMs(0.4 * ttlMs)
      delete line.held.renew
      await passMs(2 * ttlMs)
      expect(lease.isHeld()).toBe(true)
      await lease.release()
    }),
  )

  it(
    'LK-3, LK-10: an evicted holder learns it at its next renewal',
    bench(async ({ take, store, passMs }) => {
      const lease = await taken(take())
      expect(await store.evict(name)).toBe(true)
      const next = await taken(take())
      expect(next.token).toBeGreaterThan(lease.token)
      await passMs(ttlMs / 3 + 50)
      expect(lease.signal.reason).toBeInstanceOf(LeaseLostError)
      expect(lease.isHeld()).toBe(false)
      expect(next.isHeld()).toBe(true)
      await next.release()
    }),
  )

  it(
    'LK-8, G-3: with the event loop blocked the check at use still tells the truth',
    bench(async ({ runtime, store, passMs }) => {
      // No timer of the kernel fires any more: that is what a blocked event loop looks like to it.
      const never: Timer = { cancel() {} }
      const blocked: Runtime = { ...runtime, timers: { schedule: () => never } }
      const lease = await taken(holdLease(blocked, store, { name, ttlMs }))
      await passMs(ttlMs)
      expect(lease.signal.aborted).toBe(false)
      expect(lease.isHeld()).toBe(false)
      expect(lease.remainingMs()).toBe(0)
      expect(() => lease.assertHeld()).toThrow(LeaseLostError)
      expect(lease.signal.aborted).toBe(true)
    }),
  )

  it('LK-8: stopped for longer than its lease, a holder wakes up without it', async () => {
    const report = await simulate({ durationMs: 30_000 }, (world) => {
      const machine = world.machine('m')
      let heldByOther = 0n
      const holder = machine.process('holder', async (runtime) => {
        const { leases } = await embedded(runtime, { path: '/holdfast.db', namespace: 'test' })
        const lease = await taken(holdLease(runtime, leases, { name, ttlMs }))
        world.reached('holder has it')
        while (lease.isHeld()) await sleep(runtime.timers, 100)
        if (heldByOther === 0n) world.fail('lost too early', 'nobody else has it yet')
        if (heldByOther <= lease.token) world.fail('token', 'the new token is not larger')
        if (!lease.signal.aborted) await sleep(runtime.timers, 1)
        if (!lease.signal.aborted) world.fail('silent', 'the signal did not abort')
        if (await lease.release()) world.fail('release', 'a late release said it freed the name')
        world.reached('holder knows')
      })
      machine.process('other', async (runtime) => {
        await sleep(runtime.timers, 1_000)
        const { leases } = await embedded(runtime, { path: '/holdfast.db', namespace: 'test' })
        holder.pause(3 * ttlMs)
        const lease = await taken(holdLease(runtime, leases, { name, ttlMs, waitMs: 10_000 }))
        heldByOther = lease.token
        await sleep(runtime.timers, 10_000)
        lease.assertHeld()
        world.reached('other kept it')
        await lease.release()
      })
    })
    expect(report.failures).toEqual([])
    expect(report.reached).toEqual({ 'holder has it': 1, 'holder knows': 1, 'other kept it': 1 })
  })

  it(
    'LK-9: maxHoldMs ends the right of a section that hangs, and the name comes free',
    bench(async ({ runtime, store, take, passMs }) => {
      const hung = await taken(holdLease(runtime, store, { name, ttlMs, maxHoldMs: 5_000 }))
      await passMs(4_900)
      expect(hung.isHeld()).toBe(true)
      expect(hung.remainingMs()).toBeLessThanOrEqual(100)
      await passMs(101)
      expect(hung.isHeld()).toBe(false)
      expect(hung.signal.reason).toBeInstanceOf(LeaseLostError)
      const next = await taken(take({ waitMs: ttlMs + 500 }))
      await next.release()
    }),
  )
})
