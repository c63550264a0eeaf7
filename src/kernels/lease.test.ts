import { describe, expect, it } from 'vitest'
import { embedded } from '../drivers/embedded/index.ts'
import { CancelledError, ClosedError } from '../errors.ts'
import type { Observer } from '../observability/index.ts'
import { sleep } from '../runtime/index.ts'
import { inVirtualTime } from '../simulation/node/index.ts'
import { holdLease } from './lease.ts'
import { bench, name, taken, ttlMs } from './lease-bench.sim.ts'

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
    'LK-3: a lease that ran out before its answer came is not handed out',
    bench(async ({ take, line, passMs }) => {
      line.held.acquire = passMs(2 * ttlMs)
      expect(await take()).toBeUndefined()
      line.held.acquire = passMs(2 * ttlMs)
      const lease = await taken(take({ waitMs: 3 * ttlMs }))
      expect(lease.isHeld()).toBe(true)
      expect(lease.remainingMs()).toBeGreaterThan(ttlMs / 2)
      expect(await lease.release()).toBe(true)
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
      // The first try takes effect, its answer is lost; before the second somebody else takes over.
      const releasing = first.release()
      const next = await taken(take({ waitMs: 1_000 }))
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
