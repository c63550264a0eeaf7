import { describe, expect, it } from 'vitest'
import { embedded } from '../../drivers/embedded/index.ts'
import { CancelledError, ClosedError, InvalidArgumentError } from '../../errors.ts'
import { type Observer, silentObserver } from '../../observability/observer.ts'
import type { Registry } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../simulation/node/index.ts'
import type { World } from '../../simulation/world.ts'
import type { EndpointSource } from '../endpoint.ts'
import { cutOffRuntime } from './cut-off.sim.ts'
import { type Registration, type RegistrationOptions, registration } from './registration.ts'
import { type DiscoveryOptions, discovery, type ServiceView } from './service-view.ts'

interface Client {
  readonly registry: Registry
  cut(isCut: boolean): void
  instance(name: string, more?: Partial<RegistrationOptions>): Promise<Registration>
  view(more?: Partial<DiscoveryOptions>): ServiceView
}

interface Bench extends Client {
  readonly world: World
  readonly runtime: Runtime
  readonly events: string[]
  /** Another client of the same registry, on a way of its own. */
  another(): Promise<Client>
  pass(durationMs: number): Promise<void>
  until(holds: () => boolean): Promise<void>
}

/** Runs the body with a registry of its own, and closes the views it opened. */
function bench(body: (bench: Bench) => Promise<void>): () => Promise<void> {
  return () =>
    inVirtualTime(async (world, runtime) => {
      const events: string[] = []
      const observer: Observer = { ...silentObserver, event: (name) => void events.push(name) }
      const views: ServiceView[] = []
      async function another(): Promise<Client> {
        const weak = cutOffRuntime(runtime)
        const stores = await embedded(weak.runtime, { path: '/registry.db', namespace: 'test' })
        const { registry } = stores
        return {
          registry,
          cut: weak.cut,
          instance: (instance, more) =>
            registration(runtime, registry, {
              ...{ service: 'order', instance, address: `${instance}:80`, ttlMs: 3_000, observer },
              ...more,
            }),
          view(more) {
            views.push(discovery(runtime, registry, { service: 'order', observer, ...more }))
            return views.at(-1) as ServiceView
          },
        }
      }
      const pass = (durationMs: number): Promise<void> => sleep(runtime.timers, durationMs)
      const until = async (holds: () => boolean): Promise<void> => {
        while (!holds()) await pass(100)
      }
      await body({ ...(await another()), world, runtime, events, another, pass, until })
      await Promise.all(views.map((view) => view.close()))
    })
}

const names = (source: EndpointSource): string =>
  source
    .endpoints()
    .map(({ instance }) => instance)
    .sort()
    .join(' ')

describe('registration', () => {
  it(
    'an instance that registers is found, with all it says of itself',
    bench(async ({ instance, view }) => {
      const one = await instance('a', { weight: 5, metadata: { zone: 'x' } })
      expect(one.isRegistered).toBe(true)
      const orders = view()
      expect([orders.state, orders.ageMs()]).toEqual(['starting', Number.POSITIVE_INFINITY])
      await orders.ready()
      expect([orders.state, orders.ageMs()]).toEqual(['live', 0])
      expect(orders.endpoints()).toEqual([
        { id: one.id, address: 'a:80', weight: 5, instance: 'a', metadata: { zone: 'x' } },
      ])
    }),
  )

  it(
    'RG-5: weight and metadata change in place: same endpoint, never off the list',
    bench(async ({ instance, view, pass }) => {
      const one = await instance('a')
      const orders = view()
      await orders.ready()
      let wasAway = false
      orders.subscribe(() => {
        wasAway ||= orders.endpoints()[0]?.id !== one.id
      })
      await one.update({ weight: 9 })
      await one.update({ metadata: { version: '2' } })
      await pass(2_000)
      const [endpoint] = orders.endpoints()
      expect(endpoint).toMatchObject({ id: one.id, weight: 9, metadata: { version: '2' } })
      expect(wasAway).toBe(false)
      await expect(one.update({ weight: -1 })).rejects.toThrow(/weight is -1/)
    }),
  )

  it(
    'RG-1: after a lost session the instance registers anew, and remains the same endpoint',
    bench(async ({ another, view, pass, events }) => {
      const weak = await another()
      const one = await weak.instance('a')
      const orders = view({ emptyProtection: { holdMs: 0 } })
      await orders.ready()
      weak.cut(true)
      const wish = one.update({ weight: 3 })
      await pass(20_000)
      expect(one.isRegistered).toBe(false)
      expect(names(orders)).toBe('')
      weak.cut(false)
      await wish
      await pass(2_000)
      expect(orders.endpoints()).toMatchObject([{ id: one.id, weight: 3 }])
      expect(events).toContain('registrationLost')
    }),
  )

  it(
    'RG-1: a late deregistration of the old incarnation leaves the new one listed',
    bench(async ({ another, instance, view, pass }) => {
      const former = await another()
      const old = await former.instance('a')
      const orders = view()
      await orders.ready()
      const next = await instance('a', { address: 'a:81' })
      await pass(2_000)
      expect(orders.endpoints()).toMatchObject([{ id: next.id, address: 'a:81' }])
      expect(await old.deregister()).toBe(true)
      await pass(2_000)
      expect(orders.endpoints()).toMatchObject([{ id: next.id }])
      await next.deregister()
      await pass(2_000)
      expect(names(orders)).toBe('')
    }),
  )

  it(
    'RG-4: an older incarnation that still lives does not come back when the newer one leaves',
    bench(async ({ another, instance, view, pass }) => {
      await (await another()).instance('a')
      const orders = view()
      const next = await instance('a')
      await pass(2_000)
      await next.deregister()
      await pass(2_000)
      expect(names(orders)).toBe('')
    }),
  )

  it(
    'registers as soon as the registry is back; the wait can be aborted and leaves nothing',
    bench(async ({ another, instance, view, pass, runtime }) => {
      const weak = await another()
      weak.cut(true)
      const caller = new AbortController()
      const given = weak.instance('b', { signal: caller.signal })
      const kept = weak.instance('a')
      await pass(30_000)
      caller.abort()
      await expect(given).rejects.toBeInstanceOf(CancelledError)
      const backAtMs = runtime.clock.monotonicMs()
      weak.cut(false)
      const one = await kept
      expect(runtime.clock.monotonicMs() - backAtMs).toBeLessThanOrEqual(10_100)
      await pass(20_000)
      const orders = view()
      await orders.ready()
      expect(names(orders)).toBe('a')
      await one.close()
      await expect(one.update({ weight: 2 })).rejects.toBeInstanceOf(ClosedError)
      expect(one.isRegistered).toBe(false)
      await expect(instance('x/y')).rejects.toBeInstanceOf(InvalidArgumentError)
      await expect(instance('c', { ttlMs: 1 })).rejects.toThrow(/ttlMs is 1/)
    }),
  )

  it(
    'leaving while the registry is away: the caller is told, the entry lapses',
    bench(async ({ another, view, pass, events }) => {
      const weak = await another()
      const one = await weak.instance('a')
      const orders = view({ emptyProtection: { holdMs: 0 } })
      await orders.ready()
      weak.cut(true)
      await expect(one.deregister()).rejects.toThrow(/out of reach/)
      await one.close()
      expect(events).toContain('registrationFailed')
      await pass(5_000)
      weak.cut(false)
      await pass(60_000)
      expect(names(orders)).toBe('')
    }),
  )
})

describe('service view', () => {
  it(
    'DS-1: snapshots are immutable and swapped whole; subscribers get the difference',
    bench(async ({ instance, view, pass }) => {
      const orders = view()
      await orders.ready()
      const diffs: string[] = []
      const stop = orders.subscribe(({ added, removed, updated }) => {
        diffs.push([added, removed, updated].map((part) => part.length).join('/'))
      })
      const first = await instance('a')
      const second = await instance('b')
      await pass(2_000)
      const snapshot = orders.endpoints()
      expect(Object.isFrozen(snapshot)).toBe(true)
      await pass(60_000)
      expect(orders.endpoints()).toBe(snapshot)
      await second.update({ weight: 0 })
      await first.deregister()
      await pass(2_000)
      expect(snapshot.length).toBe(2)
      expect(diffs).toEqual(['1/0/0', '1/0/0', '0/0/1', '0/1/0'])
      stop()
      await second.close()
      await pass(2_000)
      expect(diffs.length).toBe(4)
    }),
  )

  it(
    'RG-3: an outage longer than any time to live keeps the list, its age exposed',
    bench(async ({ another, instance, pass, events }) => {
      await Promise.all(['a', 'b', 'c'].map((name) => instance(name)))
      const weak = await another()
      const orders = weak.view()
      await orders.ready()
      weak.cut(true)
      await pass(600_000)
      expect([orders.state, names(orders)]).toEqual(['stale', 'a b c'])
      expect(orders.ageMs()).toBeGreaterThan(590_000)
      expect(orders.ageMs()).toBeLessThanOrEqual(600_000)
      weak.cut(false)
      await pass(10_000)
      expect([orders.state, orders.ageMs(), names(orders)]).toEqual(['live', 0, 'a b c'])
      expect(events.filter((name) => /^registry(Lost|Regained)$/.test(name))).toEqual([
        'registryLost',
        'registryRegained',
      ])
    }),
  )

  it(
    'RG-3: all expired at once are held for holdMs and no longer; the first one back is not alone',
    bench(async ({ another, view, pass, until, runtime }) => {
      const weak = await another()
      await Promise.all(['a', 'b', 'c'].map((name) => weak.instance(name)))
      const orders = view({ emptyProtection: { holdMs: 30_000 } })
      await orders.ready()
      weak.cut(true)
      await until(() => orders.state === 'protected')
      const sinceMs = runtime.clock.monotonicMs()
      expect(names(orders)).toBe('a b c')
      await pass(29_000)
      expect(names(orders)).toBe('a b c')
      await until(() => names(orders) === '')
      expect(runtime.clock.monotonicMs() - sinceMs).toBeLessThanOrEqual(30_200)
      expect(orders.state).toBe('live')

      weak.cut(false)
      await until(() => names(orders) === 'a b c')
      weak.cut(true)
      await until(() => orders.state === 'protected')
      const shown: string[] = []
      orders.subscribe(() => shown.push(names(orders)))
      weak.cut(false)
      await until(() => orders.state === 'live')
      expect(new Set(shown)).toEqual(new Set([]))
      expect(names(orders)).toBe('a b c')
    }),
  )

  it(
    'RG-3: the last one that deregisters is believed at once, the one that expires among others too',
    bench(async ({ another, instance, view, pass }) => {
      const weak = await another()
      await weak.instance('a')
      const one = await instance('b')
      const orders = view()
      await orders.ready()
      weak.cut(true)
      await pass(5_000)
      expect([orders.state, names(orders)]).toEqual(['live', 'b'])
      await pass(40_000)
      await one.deregister()
      await pass(2_000)
      expect([orders.state, names(orders)]).toEqual(['live', ''])
    }),
  )

  it(
    'RG-3: the list survives a restart on disk, with its age; damage is an event, not an error',
    bench(async ({ another, instance, pass, events, runtime }) => {
      const lastKnownGood = { path: '/var/order.list' }
      const one = await instance('a')
      const former = (await another()).view({ lastKnownGood })
      await former.ready()
      await pass(2_000)
      await former.close()
      await pass(60_000)

      const weak = await another()
      weak.cut(true)
      const orders = weak.view({ lastKnownGood })
      await orders.ready()
      expect([orders.state, orders.endpoints()[0]?.id]).toEqual(['stale', one.id])
      expect(orders.ageMs()).toBeGreaterThanOrEqual(60_000)
      await orders.close()

      const file = await runtime.disk.open(lastKnownGood.path, 'update')
      await file.writeAt((await file.sizeBytes()) - 5, new Uint8Array([1]))
      await file.close()
      const damaged = weak.view({ lastKnownGood })
      await pass(5_000)
      expect([damaged.state, names(damaged)]).toEqual(['starting', ''])
      expect(events).toContain('lastKnownGoodUnusable')
      weak.cut(false)
      await damaged.ready()
      expect(names(damaged)).toBe('a')
      await damaged.close()
    }),
  )

  it(
    'G-10: a list written in a newer format is left alone; entries in a newer format are passed over',
    bench(async ({ registry, instance, view, runtime, events }) => {
      await instance('a')
      const session = await registry.openSession({ ttlMs: 3_000, owner: 'newer' })
      await registry.register(session, 'service/order/b/99', '{"format":2,"id":"b"}')
      await registry.register(session, 'service/order/strange', 'x')
      await runtime.disk.makeDirectory('/var')
      const file = await runtime.disk.open('/var/order.list', 'create')
      await file.writeAt(0, new TextEncoder().encode('holdfast-endpoints 2 00000000\n{}'))
      await file.close()
      const orders = view({ lastKnownGood: { path: '/var/order.list' } })
      await orders.ready()
      expect(names(orders)).toBe('a')
      expect(events.filter((name) => name === 'entryUnreadable').length).toBe(2)
      expect(events).toContain('lastKnownGoodUnusable')
    }),
  )

  it(
    'G-8: ready can be aborted and closed; after close the list stays readable and nothing is called',
    bench(async ({ another, instance, pass }) => {
      const weak = await another()
      weak.cut(true)
      const orders = weak.view()
      const caller = new AbortController()
      const aborted = orders.ready(caller.signal)
      const closed = orders.ready()
      caller.abort()
      await expect(aborted).rejects.toBeInstanceOf(CancelledError)
      const refused = expect(closed).rejects.toBeInstanceOf(ClosedError)
      await orders.close()
      await refused
      weak.cut(false)
      const living = weak.view()
      await instance('a')
      await living.ready()
      await pass(2_000)
      await living.close()
      living.subscribe(() => expect.unreachable('called after close'))
      await instance('b')
      await pass(5_000)
      expect(names(living)).toBe('a')
    }),
  )
})
