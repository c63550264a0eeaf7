import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError } from '../../errors.ts'
import { CheckFailed } from '../../ports/check.ts'
import { workStoreConformance } from '../../ports/work-store.conformance.ts'
import type { WorkMessage, WorkStore } from '../../ports/work-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime, type World } from '../index.ts'
import {
  type BrokerEngine,
  type BrokerEngineOptions,
  type BrokerEngineStores,
  brokerEngine,
  flawedBroker,
} from './broker-engine.ts'
import { runEngineCase, titleOf } from './engine-trial.ts'

const broker = { engine: brokerEngine, pick: ({ work }: BrokerEngineStores) => work }

describe('broker-like, in virtual time', () => {
  for (const one of workStoreConformance) {
    it(titleOf(one), async (context) => {
      const reason = await runEngineCase(one, broker)
      if (reason !== undefined) context.skip(reason)
    })
  }
})

const limits = { lengthMax: 1_000, overflow: 'reject', dedupMs: 60_000 } as const
const request = { limit: 10, leaseMs: 600_000, consumer: 'c', kinds: ['job.v1'] }
const message = (id: string): WorkMessage => ({ id, kind: 'job.v1', body: id })

function withBroker(
  body: (scene: {
    readonly world: World
    readonly runtime: Runtime
    readonly broker: BrokerEngine
    readonly work: BrokerEngineStores['work']
    publish(...ids: readonly string[]): Promise<unknown>
    /** Claims until there is something, and gives its ids. */
    claimed(): Promise<readonly string[]>
  }) => Promise<void>,
  options: BrokerEngineOptions = {},
): Promise<void> {
  return inVirtualTime(async (world, runtime) => {
    const broker = brokerEngine(world, options)
    await sleep(runtime.timers, 1_000)
    const stores = broker.connect(runtime)
    const { work } = stores
    await work.declare('q', limits)
    await body({
      world,
      runtime,
      broker,
      work,
      publish: (...ids) => work.publish('q', ids.map(message)),
      async claimed() {
        for (let tries = 0; tries < 100; tries += 1) {
          const deliveries = await work.claim('q', request).catch(() => [])
          if (deliveries.length > 0) return deliveries.map((delivery) => delivery.message.id)
          await sleep(runtime.timers, 100)
        }
        return []
      },
    })
    await stores.close()
  })
}

describe('what a broker does to its consumers', () => {
  it('QU-1: hands out everything again after a failover, in another order', () =>
    withBroker(async ({ runtime, broker, work, publish, claimed }) => {
      await publish('a', 'b', 'c')
      const held = await work.claim('q', request)
      broker.failOver()
      await sleep(runtime.timers, 4_000)
      expect(await claimed()).toEqual(['c', 'b', 'a'])
      const late = held.map(({ receipt }) => ({ receipt, outcome: 'done' }) as const)
      expect(await work.settle('q', late)).toEqual(['lost', 'lost', 'lost'])
    }))

  it('QU-1: hands out again what was on a connection that broke, behind what waits', () =>
    withBroker(async ({ runtime, broker, work, publish, claimed }) => {
      await publish('a', 'b')
      const other = broker.connect(runtime)
      await other.work.claim('q', request)
      await publish('c')
      await other.close()
      await sleep(runtime.timers, 500)
      expect(await claimed()).toEqual(['c', 'b', 'a'])
      expect((await work.stats('q')).redeliveredTotal).toBe(2)
    }))

  it('QU-1: takes back what a client holds that is silent for too long', () =>
    withBroker(async ({ world, runtime, broker, publish, claimed }) => {
      await publish('a')
      world.machine('deaf').process('consumer', async (deaf) => {
        await broker.connect(deaf).work.claim('q', request)
        world.reached('it was claimed')
        await new Promise<never>(() => {})
      })
      await sleep(runtime.timers, 1_000)
      for (const machine of broker.machines) world.faults.partition('deaf', machine)
      await sleep(runtime.timers, 3_000)
      expect(await claimed()).toEqual(['a'])
    }))

  it('G-11: gives no more than the prefetch, until something is settled', () =>
    withBroker(
      async ({ work, publish }) => {
        await publish('a', 'b', 'c')
        const [first, second, ...more] = await work.claim('q', request)
        expect([first?.message.id, second?.message.id, more]).toEqual(['a', 'b', []])
        expect(await work.claim('q', request)).toEqual([])
        await work.settle('q', [{ receipt: first?.receipt ?? '', outcome: 'done' }])
        expect((await work.claim('q', request)).map((one) => one.message.id)).toEqual(['c'])
      },
      { prefetch: 2 },
    ))

  it('G-1, QU-6: a lost confirm is unknown, and the same id again is stored once', () =>
    withBroker(async ({ runtime, broker, work, publish }) => {
      let unknown = 0
      for (let round = 0; round < 30; round += 1) {
        const publishing = publish(`m${round}`).catch((error: unknown) => error)
        await sleep(runtime.timers, 1)
        broker.failOver()
        if ((await publishing) instanceof OutcomeUnknownError) unknown += 1
        let answer: unknown
        while (answer === undefined) {
          await sleep(runtime.timers, 500)
          answer = await publish(`m${round}`).catch(() => undefined)
        }
      }
      expect(unknown).toBeGreaterThan(0)
      expect((await work.stats('q')).ready).toBe(30)
    }))

  it('QU-1: keeps what was confirmed when its leader is killed', () =>
    withBroker(async ({ runtime, broker, publish, claimed }) => {
      await publish('a')
      broker.leader()?.kill()
      await sleep(runtime.timers, 3_000)
      expect(await claimed()).toEqual(['a'])
    }))
})

describe('the cases turn red when', () => {
  const caseOf = (name: string) => {
    const found = workStoreConformance.find((one) => one.name === name)
    if (found === undefined) throw new Error(`there is no case "${name}"`)
    return found
  }

  it('G-14: keys are ignored instead of refused', async () => {
    const one = caseOf('a driver that keeps no order by key refuses keys, and does not ignore them')
    const broken = (store: WorkStore): WorkStore => ({
      ...store,
      publish: (queue, messages) =>
        store.publish(
          queue,
          messages.map(({ key: _, ...message }) => message),
        ),
    })
    await expect(runEngineCase(one, { ...broker, broken })).rejects.toThrow(CheckFailed)
  })

  it('G-14: a delivery whose time is up is lost', async () => {
    const one = caseOf('attempts are counted even if every consumer dies without a word')
    const engine = (world: World) => flawedBroker(world, { flaw: 'loses-redelivery' })
    await expect(runEngineCase(one, { ...broker, engine })).rejects.toThrow(CheckFailed)
  })

  it('G-14: letters come back in the order of their deaths', async () => {
    const one = caseOf('redrive brings letters back under their own ids, in order of publication')
    const broken = (store: WorkStore): WorkStore => ({
      ...store,
      async redrive(queue, ids) {
        let moved = 0
        for (const id of ids) moved += await store.redrive(queue, [id])
        return moved
      },
    })
    await expect(runEngineCase(one, { ...broker, broken })).rejects.toThrow(CheckFailed)
  })
})
