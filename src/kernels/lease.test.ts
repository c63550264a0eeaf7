import { describe, expect, it } from 'vitest'
import { embedded } from '../drivers/embedded/index.ts'
import { CancelledError, ClosedError, LeaseLostError, LimitExceededError } from '../errors.ts'
import type { Observer } from '../observability/index.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import { type Runtime, sleep, type Timer } from '../runtime/index.ts'
import { inVirtualTime, simulate } from '../simulation/node/index.ts'
import { behind, type Connection, connection } from './lease.faults.ts'
import { type HeldLease, holdLease } from './lease.ts'
import { joinLine, waitersMax, waitersNow } from './lease-line.ts'

interface Bench {
  readonly runtime: Runtime
  readonly store: LeaseStore
  readonly line: Connection
  passMs(durationMs: number): Promise<void>
  take(options?: { waitMs?: number; signal?: AbortSignal }): Promise<HeldLease | undefined>
}

const name = 'orders'
const ttlMs = 3_000

function bench(body: (bench: Bench) => Promise<void>): () => Promise<void> {
  return () =>
    inVirtualTime(async (_world, runtime) => {
      const stores = await embedded(runtime, { path: '/holdfast.db', namespace: 'test' })
      const line = connection()
      const store = behind(stores.leases, line)
      await body({
        runtime,
        store,
        line,
        passMs: (durationMs) => sleep(runtime.timers, durationMs),
        take: (options) => holdLease(runtime, store, { name, ttlMs, ...options }),
      })
      await stores.close()
    })
}

async function taken(lease: Promise<HeldLease | undefined>): Promise<HeldLease> {
  const held = await lease
  if (held === undefined) throw new Error('the lease was refused')
  return held
}

describe('taking', () => {
  it(
    'LK-2: tokens grow across releases, and a held name is refused by a return value',
    bench(async ({ take }) => {
      const first = await taken(take())
      expect(await take()).toBeUndefined()
      expect(await first.release()).toBe(true)
      const second = await taken(take())
      expect(second.token).toBeGreaterThan(first.token)
      await second.release()
    }),
  )

  it(
    'LK-5: an acquisition whose answer was lost is settled by asking again',
    bench(async ({ take, line, store }) => {
      line.lost.acquire = 3
      const lease = await taken(take())
      expect(line.arrived).toEqual(['acquire', 'acquire', 'acquire', 'acquire'])
      expect(lease.token).toBe((await store.list('', { limit: 1 }))[0]?.token)
      expect(await lease.release()).toBe(true)
    }),
  )

  it(
    'LK-5: cancelled with the answer outstanding, the lease is given back, not left to expire',
    bench(async ({ take, line, passMs, store }) => {
      let answer = (): void => {}
      line.held.acquire = new Promise((resolve) => {
        answer = resolve
      })
      const cancel = new AbortController()
      const waiting = take({ signal: cancel.signal })
      await passMs(50)
      cancel.abort()
      await expect(waiting).rejects.toThrow(CancelledError)
      expect(await store.list('', { limit: 1 })).toHaveLength(1)
      answer()
      await passMs(50)
      expect(await store.list('', { limit: 1 })).toHaveLength(0)
    }),
  )

  it(
    'LK-5: a doubt that cannot be settled is told as unknown, and nobody is locked out beyond one TTL',
    bench(async ({ take, line, passMs }) => {
      line.lost.acquire = 1_000
      await expect(take()).rejects.toMatchObject({ outcome: 'unknown' })
      line.lost.acquire = 0
      await passMs(ttlMs + 1)
      await (await taken(take())).release()
    }),
  )

  it(
    'G-1: a store out of reach is a failure, not a refusal',
    bench(async ({ take, line }) => {
      line.down = true
      await expect(take()).rejects.toMatchObject({ code: 'unavailable' })
      await expect(take({ waitMs: 500 })).rejects.toMatchObject({ code: 'unavailable' })
    }),
  )

  it(
    'bad input is refused by name',
    bench(async ({ runtime, store }) => {
      const bad = (options: object): Promise<unknown> =>
        holdLease(runtime, store, { name, ttlMs, ...options })
      await expect(bad({ name: ' ' })).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(bad({ ttlMs: 1 })).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(bad({ waitMs: Number.NaN })).rejects.toMatchObject({ code: 'invalid-argument' })
      await expect(bad({ maxHoldMs: 0 })).rejects.toMatchObject({ code: 'invalid-argument' })
    }),
  )
})

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
      const cancel = new AbortController()
      const waiters = Array.from({ length: 100 }, () =>
        take({ waitMs: Number.POSITIVE_INFINITY, signal: cancel.signal }).catch(() => undefined),
      )
      await passMs(1)
      await passMs(300)
      const before = line.arrived.filter((method) => method === 'acquire').length
      await first.release()
      await passMs(20)
      const asked = line.arrived.filter((method) => method === 'acquire').length - before
      expect(asked).toBeGreaterThanOrEqual(1)
      expect(asked).toBeLessThan(15)
      cancel.abort()
      await Promise.all(waiters.map(async (waiter) => (await waiter)?.release()))
    }),
  )

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

describe('giving back', () => {
  it(
    'LK-9: after release nothing renews, and the right is over at once',
    bench(async ({ take, line, passMs }) => {
      const lease = await taken(take())
      const releasing = lease.release()
      expect(lease.isHeld()).toBe(false)
      expect(lease.signal.reason).toBeInstanceOf(ClosedError)
      await releasing
      await passMs(5 * ttlMs)
      expect(line.arrived).not.toContain('renew')
    }),
  )

  it(
    'LK-4: a release repeated after its answer was lost cannot free the next holder',
    bench(async ({ take, line, store }) => {
      const first = await taken(take())
      line.lost.release = 1
      let next: HeldLease | undefined
      // The first try takes effect, its answer is lost; before the second somebody else takes over.
      const releasing = first.release()
      next = await taken(take({ waitMs: 1_000 }))
      expect(await releasing).toBe(false)
      expect(line.arrived.filter((method) => method === 'release')).toHaveLength(2)
      expect((await store.list('', { limit: 1 }))[0]?.token).toBe(next.token)
      expect(next.isHeld()).toBe(true)
      expect(await next.release()).toBe(true)
    }),
  )

  it(
    'LK-4: releasing twice asks once and gives one answer',
    bench(async ({ take, line }) => {
      const lease = await taken(take())
      expect(await Promise.all([lease.release(), lease.release()])).toEqual([true, true])
      await lease[Symbol.asyncDispose]()
      expect(line.arrived.filter((method) => method === 'release')).toHaveLength(1)
    }),
  )

  it(
    'a store out of reach fails the release after a bounded effort, and fails no dispose',
    bench(async ({ runtime, take, line }) => {
      const lease = await taken(take())
      line.down = true
      const startMs = runtime.clock.monotonicMs()
      await lease[Symbol.asyncDispose]()
      await expect(lease.release()).rejects.toMatchObject({ code: 'unavailable' })
      expect(runtime.clock.monotonicMs() - startMs).toBeLessThanOrEqual(ttlMs)
    }),
  )
})

it('G-12: what is taken, lost and released is told, and what is held is shown', () =>
  inVirtualTime(async (_world, runtime) => {
    const stores = await embedded(runtime, { path: '/holdfast.db', namespace: 'test' })
    const events: string[] = []
    let read: (() => unknown) | undefined
    const observer: Observer = {
      event: (event) => void events.push(event),
      count() {},
      measure() {},
      snapshot(_section, view) {
        read = view
        return () => {
          read = undefined
        }
      },
    }
    const options = { name, ttlMs, observer, holder: 'me' }
    const lease = await taken(holdLease(runtime, stores.leases, options))
    expect(read?.()).toMatchObject({ total: 1, held: [{ name, token: '1', holder: 'me' }] })
    await stores.leases.evict(name)
    await sleep(runtime.timers, ttlMs)
    expect(read).toBeUndefined()
    await lease.release()
    expect(events).toEqual(['leaseAcquired', 'leaseLost', 'leaseReleased'])
    await stores.close()
  }))
