import { describe, expect, it } from 'vitest'
import { embedded } from '../drivers/embedded/index.ts'
import { ClosedError, LeaseLostError } from '../errors.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { inVirtualTime } from '../simulation/node/index.ts'
import { evictLock, listLocks, lock, withLock } from './lock.ts'
import { lockAll } from './lock-all.ts'

const ttlMs = 3_000

type Body = (runtime: Runtime, leases: LeaseStore) => Promise<void>

function bench(body: Body): () => Promise<void> {
  return () =>
    inVirtualTime(async (_world, runtime) => {
      const stores = await embedded(runtime, { path: '/holdfast.db', namespace: 'test' })
      await body(runtime, stores.leases)
      await stores.close()
    })
}

describe('lock', () => {
  it(
    'waits until it is free, or as long as it is told',
    bench(async (runtime, leases) => {
      const first = await lock(runtime, leases, 'a', { ttlMs })
      expect(await lock(runtime, leases, 'a', { ttlMs, waitMs: 0 })).toBeUndefined()
      const waiting = lock(runtime, leases, 'a', { ttlMs })
      await sleep(runtime.timers, 5 * ttlMs)
      expect(await first.release()).toBe(true)
      const second = await waiting
      expect(second.token).toBeGreaterThan(first.token)
      await second.release()
    }),
  )

  it(
    'LK-9: withLock releases when the work throws, and passes the error on',
    bench(async (runtime, leases) => {
      const failing = withLock(runtime, leases, 'a', { ttlMs }, async () => {
        throw new RangeError('the work failed')
      })
      await expect(failing).rejects.toThrow(RangeError)
      expect(await listLocks(leases)).toEqual([])
      expect(await withLock(runtime, leases, 'a', { ttlMs }, async () => 7)).toBe(7)
    }),
  )

  it(
    'LK-7: two flows of one process exclude each other',
    bench(async (runtime, leases) => {
      let inside = 0
      let insideMax = 0
      const flow = (): Promise<void> =>
        withLock(runtime, leases, 'a', { ttlMs }, async () => {
          inside += 1
          insideMax = Math.max(insideMax, inside)
          await sleep(runtime.timers, 100)
          inside -= 1
        })
      await Promise.all([flow(), flow(), flow(), flow()])
      expect(insideMax).toBe(1)
    }),
  )

  it(
    'LK-2, LK-7: entering again is asked for, keeps the token, and is counted',
    bench(async (runtime, leases) => {
      const outer = await lock(runtime, leases, 'a', { ttlMs })
      const inner = outer.reenter()
      expect(inner.token).toBe(outer.token)
      expect(await inner.release()).toBe(true)
      // Releasing the same entry twice must not take away somebody else's.
      expect(await inner.release()).toBe(true)
      await inner[Symbol.asyncDispose]()
      expect(inner.isHeld()).toBe(false)
      expect(() => inner.assertHeld()).toThrow(ClosedError)
      expect(inner.signal.reason).toBeInstanceOf(ClosedError)
      expect(outer.isHeld()).toBe(true)
      expect(outer.signal.aborted).toBe(false)

      const another = outer.reenter()
      expect(await outer.release()).toBe(true)
      expect(another.isHeld()).toBe(true)
      expect(await lock(runtime, leases, 'a', { ttlMs, waitMs: 0 })).toBeUndefined()
      expect(() => outer.reenter()).toThrow(ClosedError)
      await another[Symbol.asyncDispose]()
      expect(await listLocks(leases)).toEqual([])
    }),
  )

  it(
    'LK-3: losing the lock ends every entry',
    bench(async (runtime, leases) => {
      const outer = await lock(runtime, leases, 'a', { ttlMs })
      const inner = outer.reenter()
      await evictLock(leases, 'a')
      await sleep(runtime.timers, ttlMs)
      for (const entry of [outer, inner]) {
        expect(entry.signal.reason).toBeInstanceOf(LeaseLostError)
        expect(() => entry.assertHeld()).toThrow(LeaseLostError)
        expect(entry.remainingMs()).toBe(0)
      }
      expect(() => inner.reenter()).toThrow(LeaseLostError)
      expect(await inner.release()).toBe(false)
      expect(await outer.release()).toBe(false)
    }),
  )

  it(
    'LK-10: locks are listed with their holder; eviction makes the token larger',
    bench(async (runtime, leases) => {
      const a = await lock(runtime, leases, 'shop/a', { ttlMs, holder: 'till 1' })
      await lock(runtime, leases, 'shop/b', { ttlMs })
      await lock(runtime, leases, 'other', { ttlMs })
      const listed = await listLocks(leases, { start: 'shop/' })
      expect(listed.map(({ name }) => name)).toEqual(['shop/a', 'shop/b'])
      expect(listed[0]).toMatchObject({ holder: 'till 1', token: a.token })
      expect(await listLocks(leases, { after: 'shop/a', limit: 1 })).toMatchObject([
        { name: 'shop/b' },
      ])
      expect(await evictLock(leases, 'shop/a')).toBe(true)
      expect(await evictLock(leases, 'shop/a')).toBe(false)
      const next = await lock(runtime, leases, 'shop/a', { ttlMs })
      expect(next.token).toBeGreaterThan(a.token)
      expect(await a.release()).toBe(false)
      expect(next.isHeld()).toBe(true)
    }),
  )

  it(
    'bad names are refused',
    bench(async (runtime, leases) => {
      for (const name of ['', '   ', 'x'.repeat(501)]) {
        const refused = lock(runtime, leases, name, { ttlMs })
        await expect(refused).rejects.toMatchObject({ code: 'invalid-argument' })
      }
    }),
  )
})

describe('lockAll', () => {
  it(
    'LK-10: opposite orders do not deadlock',
    bench(async (runtime, leases) => {
      let done = 0
      const flow = async (names: string[]): Promise<void> => {
        const all = await lockAll(runtime, leases, names, { ttlMs })
        expect(all?.isHeld()).toBe(true)
        await sleep(runtime.timers, 50)
        await all?.release()
        done += 1
      }
      await Promise.all([flow(['a', 'b', 'c']), flow(['c', 'b', 'a']), flow(['b', 'a', 'b'])])
      expect(done).toBe(3)
      expect(await listLocks(leases)).toEqual([])
    }),
  )

  it(
    'LK-10: all or none: what was taken is given back when one cannot be had',
    bench(async (runtime, leases) => {
      const b = await lock(runtime, leases, 'b', { ttlMs })
      const startMs = runtime.clock.monotonicMs()
      const refused = await lockAll(runtime, leases, ['a', 'b', 'c'], { ttlMs, waitMs: 1_000 })
      expect(refused).toBeUndefined()
      expect(runtime.clock.monotonicMs() - startMs).toBeLessThan(1_300)
      expect((await listLocks(leases)).map(({ name }) => name)).toEqual(['b'])
      const cancel = new AbortController()
      const waiting = lockAll(runtime, leases, ['a', 'b'], { ttlMs, signal: cancel.signal })
      const cancelled = expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
      await sleep(runtime.timers, 500)
      cancel.abort()
      await cancelled
      expect((await listLocks(leases)).map(({ name }) => name)).toEqual(['b'])
      await b.release()
    }),
  )

  it(
    'the loss of one is the loss of the set',
    bench(async (runtime, leases) => {
      const all = await lockAll(runtime, leases, ['a', 'b'], { ttlMs })
      await evictLock(leases, 'b')
      await sleep(runtime.timers, ttlMs)
      expect(all?.signal.reason).toBeInstanceOf(LeaseLostError)
      expect(all?.isHeld()).toBe(false)
      expect(all?.remainingMs()).toBe(0)
      expect(() => all?.assertHeld()).toThrow(LeaseLostError)
      expect(await all?.release()).toBe(false)
      expect(await listLocks(leases)).toEqual([])
    }),
  )
})
