import { describe, expect, it } from 'vitest'
import { embedded } from '../drivers/embedded/index.ts'
import { CancelledError, LimitExceededError } from '../errors.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { simulate } from '../simulation/node/index.ts'
import { holdLease } from './lease.ts'
import { bench, name, taken, ttlMs } from './lease-bench.sim.ts'
import { joinLine, waitersMax, waitersNow } from './lease-line.ts'

describe('waiting', () => {
  it(
    'LK-6: waiters are served in the order they came, one after the other',
    bench(async ({ take, passMs, runtime }) => {
      const first = await taken(take())
      const served: number[] = []
      const waiters = [1, 2, 3, 4, 5].map(async (place) => {
        await passMs(place * 10)
        const lease = await taken(take({ waitMs: Number.POSITIVE_INFINITY }))
        served.push(place)
        await passMs(100)
        await lease.release()
      })
      await passMs(200)
      await first.release()
      await Promise.all(waiters)
      expect(served).toEqual([1, 2, 3, 4, 5])
      expect(waitersNow(runtime)).toBe(0)
    }),
  )

  it(
    'LK-6: waitMs is kept on the monotonic clock, and giving up leaves no place in line',
    bench(async ({ take, runtime, store, passMs }) => {
      const lease = await taken(take())
      const startMs = runtime.clock.monotonicMs()
      expect(await take({ waitMs: 700 })).toBeUndefined()
      expect(runtime.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(700)
      expect(runtime.clock.monotonicMs() - startMs).toBeLessThan(900)
      await passMs(50)
      expect((await store.list('', { limit: 1 }))[0]?.waiters).toBe(0)
      await lease.release()
    }),
  )

  it(
    'LK-6, G-8: a cancelled waiter leaves no place, no listener and no count behind',
    bench(async ({ take, runtime, store, passMs }) => {
      const lease = await taken(take())
      const cancel = new AbortController()
      let listeners = 0
      const { signal } = cancel
      const add = signal.addEventListener.bind(signal)
      const remove = signal.removeEventListener.bind(signal)
      signal.addEventListener = (...given: Parameters<typeof add>): void => {
        listeners += 1
        add(...given)
      }
      signal.removeEventListener = (...given: Parameters<typeof remove>): void => {
        listeners -= 1
        remove(...given)
      }
      const waiting = take({ waitMs: Number.POSITIVE_INFINITY, signal })
      const refused = expect(waiting).rejects.toThrow(CancelledError)
      await passMs(2_500)
      expect((await store.list('', { limit: 1 }))[0]?.waiters).toBe(1)
      expect(listeners).toBe(1)
      cancel.abort()
      await refused
      expect(listeners).toBe(0)
      expect(waitersNow(runtime)).toBe(0)
      await passMs(50)
      expect((await store.list('', { limit: 1 }))[0]?.waiters).toBe(0)
      await lease.release()
    }),
  )

  it(
    'LK-6: of a hundred waiters a release makes one ask, not a hundred',
    bench(async ({ take, line, passMs }) => {
      const first = await taken(take())
      const cancels = Array.from({ length: 100 }, () => new AbortController())
      const waiters = cancels.map(({ signal }) =>
        take({ waitMs: Number.POSITIVE_INFINITY, signal }).catch(() => undefined),
      )
      await passMs(1)
      await passMs(300)
      const before = line.arrived.filter((method) => method === 'acquire').length
      await first.release()
      await passMs(20)
      const asked = line.arrived.filter((method) => method === 'acquire').length - before
      expect(asked).toBeGreaterThanOrEqual(1)
      expect(asked).toBeLessThan(15)
      for (const cancel of cancels) cancel.abort()
      await Promise.all(waiters.map(async (waiter) => (await waiter)?.release()))
    }),
  )

  it(
    'LK-6: at a store without a line the first of the process is told, and the next when he leaves',
    bench(async ({ runtime, store, line, passMs }) => {
      const unfair: LeaseStore = {
        ...store,
        capabilities: { ...store.capabilities, fairness: 'none' },
        acquire: ({ queueForMs: _, ...request }) => store.acquire(request),
      }
      const options = { name, ttlMs: 30_000, waitMs: Number.POSITIVE_INFINITY }
      const first = await taken(holdLease(runtime, unfair, options))
      const cancels = Array.from({ length: 50 }, () => new AbortController())
      const served: number[] = []
      const waiters = cancels.map(async ({ signal }, place) => {
        const lease = await holdLease(runtime, unfair, { ...options, signal }).catch(
          () => undefined,
        )
        if (lease === undefined) return
        served.push(place)
        await lease.release()
      })
      await passMs(500)
      const before = line.arrived.filter((method) => method === 'acquire').length
      cancels[0]?.abort()
      await first.release()
      await passMs(100)
      expect(served.slice(0, 3)).toEqual([1, 2, 3])
      const asked = line.arrived.filter((method) => method === 'acquire').length - before
      expect(asked).toBeLessThan(2 * served.length + 30)
      await Promise.all(waiters)
      expect(waitersNow(runtime)).toBe(0)
    }),
  )

  it(
    'LK-6: who was told and leaves empty-handed passes it on',
    bench(async ({ runtime, store, passMs }) => {
      const startMs = runtime.clock.monotonicMs()
      let wake = (): void => {}
      const unfair: LeaseStore = {
        ...store,
        capabilities: { ...store.capabilities, fairness: 'none' },
        watch(_name, told) {
          wake = told
          return () => {}
        },
      }
      const [first, second, third] = ['1', '2', '3'].map((attemptId) =>
        joinLine(runtime, unfair, name, attemptId),
      )
      const turns: string[] = []
      // The first turn comes at once, in case the name became free before the watch.
      for (const place of [first, second, third]) await place?.turn(60_000, undefined)
      const waits = [second, third].map(async (place, index) => {
        await place?.turn(60_000, undefined)
        turns.push(index === 0 ? 'second' : 'third')
      })
      wake()
      await passMs(10)
      expect(turns).toEqual([])
      first?.leave(true)
      await passMs(10)
      expect(turns).toEqual(['second'])
      second?.leave(false)
      await passMs(10)
      expect(turns).toEqual(['second'])
      wake()
      await Promise.all(waits)
      third?.leave(true)
      expect(waitersNow(runtime)).toBe(0)
      expect(runtime.clock.monotonicMs() - startMs).toBeLessThan(60_000)
    }),
  )

  it('LK-6: a waiter that dies is skipped within a bound', async () => {
    const report = await simulate({ durationMs: 60_000 }, (world) => {
      const machine = world.machine('m')
      const open = async (runtime: Runtime): Promise<LeaseStore> =>
        (await embedded(runtime, { path: '/holdfast.db', namespace: 'test' })).leases
      const options = { name, ttlMs, waitMs: Number.POSITIVE_INFINITY }
      let releasedMs = Number.POSITIVE_INFINITY
      machine.process('holder', async (runtime) => {
        const lease = await taken(holdLease(runtime, await open(runtime), options))
        await sleep(runtime.timers, 3_000)
        dying.kill()
        await lease.release()
        releasedMs = world.nowMs()
      })
      const dying = machine.process('dying', async (runtime) => {
        await sleep(runtime.timers, 1_000)
        await holdLease(runtime, await open(runtime), options)
        world.fail('dead', 'the dead one was served')
      })
      machine.process('patient', async (runtime) => {
        await sleep(runtime.timers, 2_000)
        const lease = await taken(holdLease(runtime, await open(runtime), options))
        // Its place lasts three polls of a third of the TTL; one more until it is noticed.
        const waitedMs = world.nowMs() - releasedMs
        if (waitedMs > (4 * ttlMs) / 3) world.fail('late', `waited ${waitedMs} ms for a dead one`)
        world.reached('served')
        await lease.release()
      })
    })
    expect(report.failures).toEqual([])
    expect(report.reached).toEqual({ served: 1 })
  })

  it(
    'G-11: one waiter too many is refused at once',
    bench(async ({ runtime, store }) => {
      const places = Array.from({ length: waitersMax }, (_, index) =>
        joinLine(runtime, { ...store, watch: () => () => {} }, `name-${index}`, `attempt-${index}`),
      )
      expect(() => joinLine(runtime, store, name, 'one-more')).toThrow(LimitExceededError)
      for (const place of places) place.leave(true)
      expect(waitersNow(runtime)).toBe(0)
    }),
  )
})
