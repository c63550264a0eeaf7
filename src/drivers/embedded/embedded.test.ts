/**
 * The stores together: one file, several namespaces, and what is left when all is closed.
 */
import { describe, expect, it } from 'vitest'
import { ClosedError, InvalidArgumentError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { embedded } from './embedded.ts'

const path = '/embedded.db'
const ask = { name: 'a', attemptId: 'x', ttlMs: 60_000 }

/** A runtime that counts the batches sent. */
function counting(runtime: Runtime): { readonly runtime: Runtime; sent(): number } {
  let sent = 0
  return {
    sent: () => sent,
    runtime: {
      ...runtime,
      sql: {
        async open(options) {
          const file = await runtime.sql.open(options)
          return {
            listen: (topic, wake) => file.listen(topic, wake),
            close: () => file.close(),
            run(batch) {
              sent += 1
              return file.run(batch)
            },
          }
        },
      },
    },
  }
}

describe('embedded', () => {
  it('two namespaces of one file never see each other', () =>
    inVirtualTime(async (_world, runtime) => {
      const one = await embedded(runtime, { path, namespace: 'one' })
      const two = await embedded(runtime, { path, namespace: 'two' })
      expect(await one.leases.acquire(ask)).toBeDefined()
      expect(await two.leases.acquire(ask)).toBeDefined()
      expect(await two.leases.evict('a')).toBe(true)
      expect(await one.leases.list('', { limit: 10 })).toHaveLength(1)
      expect(await two.leases.list('', { limit: 10 })).toHaveLength(0)
      const session = await one.registry.openSession({ ttlMs: 60_000, owner: '' })
      await one.registry.register(session, 'key', '')
      expect(await two.registry.list('')).toMatchObject({ revision: 0n, entries: [] })
      await one.close()
      await two.close()
    }))

  it('G-8: closing ends sessions and watches, and nothing works afterwards', () =>
    inVirtualTime(async (_world, runtime) => {
      const closing = await embedded(runtime, { path, namespace: 'n' })
      const staying = await embedded(runtime, { path, namespace: 'n' })
      const session = await closing.registry.openSession({ ttlMs: 60_000, owner: '' })
      await closing.registry.register(session, 'key', '')
      closing.leases.watch('a', () => {})
      await closing.close()
      await closing.close()
      expect(session.lost.reason).toBeInstanceOf(ClosedError)
      expect((await staying.registry.list('')).entries).toEqual([])
      await expect(closing.leases.acquire(ask)).rejects.toThrow(ClosedError)
      await expect(closing.registry.list('')).rejects.toThrow(ClosedError)
      await staying.close()
    }))

  it('G-13: nobody watching, nothing asked; watching a name costs one look per poll', () =>
    inVirtualTime(async (_world, runtime) => {
      const counted = counting(runtime)
      const stores = await embedded(counted.runtime, { path, namespace: 'n', pollMs: 1_000 })
      await stores.leases.acquire({ ...ask, ttlMs: 3_600_000 })
      const idle = counted.sent()
      await sleep(runtime.timers, 600_000)
      expect(counted.sent()).toBe(idle)
      const stops = [1, 2, 3].map(() => stores.leases.watch('a', () => {}))
      await sleep(runtime.timers, 60_000)
      const watched = counted.sent() - idle
      expect(watched).toBeGreaterThan(40)
      expect(watched).toBeLessThan(80)
      for (const stop of stops) stop()
      const stopped = counted.sent()
      await sleep(runtime.timers, 600_000)
      expect(counted.sent()).toBe(stopped)
      await stores.close()
    }))

  it('G-7: what survives is said in the capabilities', () =>
    inVirtualTime(async (_world, runtime) => {
      const durability = { leases: 'relaxed' } as const
      const weak = await embedded(runtime, { path, namespace: 'n', durability })
      const strong = await embedded(runtime, { path, namespace: 'n' })
      expect(weak.leases.capabilities.fencing).toContain('can repeat')
      expect(strong.leases.capabilities.fencing).toContain('never repeats')
      await weak.close()
      await strong.close()
    }))

  it('G-9: options out of range are refused by name', () =>
    inVirtualTime(async (_world, runtime) => {
      const good = { path, namespace: 'n' }
      for (const wrong of [
        { path: '' },
        { namespace: '' },
        { namespace: 'x'.repeat(101) },
        { namespace: 'a\u0000b' },
        { pollMs: 49 },
        { pollMs: 60_001 },
      ]) {
        const opening = embedded(runtime, { ...good, ...wrong })
        await expect(opening, JSON.stringify(wrong)).rejects.toThrow(InvalidArgumentError)
      }
    }))
})
