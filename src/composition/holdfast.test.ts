import { expect, it } from 'vitest'
import { embeddedFile } from '../drivers/embedded/index.ts'
import { silentObserver } from '../observability/index.ts'
import type { Driver } from '../ports/index.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { procedure, service } from '../services/index.ts'
import { inVirtualTime } from '../testing/index.ts'
import { refuse } from '../transactions/index.ts'
import { type HoldfastNode, holdfast } from './holdfast.ts'
import { openStores } from './stores.ts'

const open = (runtime: Runtime): Promise<HoldfastNode> =>
  holdfast({ namespace: 'test', path: '/test.db', runtime })

it('locks, queues and sagas from one node, on one file', () =>
  inVirtualTime(async (_, runtime) => {
    const node = await open(runtime)
    const lock = await node.lock('invoice/42', { ttlMs: 10_000 })
    expect(await node.tryLock('invoice/42', { ttlMs: 10_000 })).toBeUndefined()
    expect(await lock.release()).toBe(true)
    const next = await node.withLock('invoice/42', { ttlMs: 10_000 }, async ({ token }) => token)
    expect(next).toBeGreaterThan(lock.token)

    const got: unknown[] = []
    const orders = node.queue<{ sku: string }>('orders')
    await orders.consume((order) => void got.push(order), { concurrency: 2 })
    await orders.send({ sku: 'sku-001' })

    const log: string[] = []
    const place = node
      .saga<{ fail: boolean }>('place', { version: 1 })
      .step('reserve', {
        run: () => void log.push('reserve'),
        compensate: () => void log.push('release'),
      })
      .step('charge', { run: ({ fail }) => (fail ? refuse('no money') : void log.push('charge')) })
    await expect(place.run({ fail: false })).rejects.toMatchObject({ code: 'configuration' })
    await node.start()
    expect(await place.run({ fail: false }, { id: 'a' })).toMatchObject({ status: 'completed' })
    expect(await place.run({ fail: true }, { id: 'b' })).toMatchObject({ status: 'compensated' })
    // The id makes it idempotent: the first answer again, and nothing runs twice.
    expect(await place.run({ fail: false }, { id: 'a' })).toMatchObject({ status: 'completed' })
    expect(log).toEqual(['reserve', 'charge', 'reserve', 'release'])
    await sleep(runtime.timers, 1_000)
    expect(got).toEqual([{ sku: 'sku-001' }])
    await node.close()
    await expect(orders.send({ sku: 'late' })).rejects.toMatchObject({ outcome: 'not-applied' })
  }))

it('RP-5, RG-6: a service is found by name, and its instances are replaced without a failed call', () =>
  inVirtualTime(async (world, runtime) => {
    const greeter = service('greeter', {
      version: 1,
      procedures: { greet: procedure<{ name: string }, { greeting: string }>() },
    })
    const served = new Map<string, number>()
    const instance = (name: string, untilMs: number) =>
      world.machine('machine').process(name, async (own) => {
        const node = await open(own)
        node.serve(greeter, {
          greet: ({ name: who }) => {
            served.set(name, (served.get(name) ?? 0) + 1)
            return { greeting: `hello ${who}` }
          },
        })
        await node.start()
        await sleep(own.timers, untilMs)
        await node.close()
      })
    instance('greeter-1', 5_000)
    instance('greeter-2', 8_000)
    const node = await open(runtime)
    await node.start()
    // One attempt only: nothing is hidden by a retry.
    const client = node.client(greeter, { timeoutMs: 2_000, attemptsMax: 1, waitForReadyMs: 2_000 })
    for (let call = 0; call < 300; call++) {
      if (call === 200) instance('greeter-3', 60_000)
      expect(await client.greet({ name: 'you' })).toEqual({ greeting: 'hello you' })
      await sleep(runtime.timers, 20)
    }
    for (const name of ['greeter-1', 'greeter-2', 'greeter-3']) {
      expect(served.get(name) ?? 0, name).toBeGreaterThan(10)
    }
    await node.close()
  }))

it('two versions of a saga stand side by side, and new ones begin on the higher', () =>
  inVirtualTime(async (_, runtime) => {
    const node = await open(runtime)
    const log: string[] = []
    const first = node.saga('place', { version: 1 }).step('old', { run: () => void log.push('v1') })
    node.saga('place', { version: 2 }).step('new', { run: () => void log.push('v2') })
    await node.start()
    await first.run({}, { id: 'a' })
    expect(log).toEqual(['v2'])
    await node.close()
  }))

it('G-7: a driver that cannot offer a port is refused by name, and one driver is opened once', () =>
  inVirtualTime(async (_, runtime) => {
    const context = { runtime, namespace: 'test', observer: silentObserver }
    const file = embeddedFile({ path: '/one.db' })
    let opened = 0
    const counted: Driver = {
      name: 'counted',
      open: (given) => {
        opened += 1
        return file.open(given)
      },
    }
    const every = { leases: counted, registry: counted, records: counted, work: counted }
    const stores = await openStores(context, { ...every, path: undefined, production: true })
    expect(opened).toBe(1)
    await stores.close()
    const nothing: Driver = { name: 'nothing', open: async () => ({ close: async () => {} }) }
    await expect(
      openStores(context, { ...every, work: nothing, path: undefined, production: true }),
    ).rejects.toMatchObject({
      code: 'capability-missing',
      message: expect.stringContaining('nothing'),
    })
  }))

it('in production the embedded file must be named', () =>
  inVirtualTime(async (_, runtime) => {
    const context = { runtime, namespace: 'test', observer: silentObserver }
    await expect(openStores(context, { path: undefined, production: true })).rejects.toMatchObject({
      code: 'configuration',
    })
  }))
