import { describe, expect, it } from 'vitest'
import { CheckFailed } from '../../ports/check.ts'
import { workStoreConformance } from '../../ports/work-store.conformance.ts'
import type { WorkMessage, WorkStore } from '../../ports/work-store.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { runCase, titleOf } from './embedded-trial.ts'

const trial = { path: '/trial.db', pick: ({ work }: { readonly work: WorkStore }) => work }

describe('embedded work, in virtual time', () => {
  for (const testCase of workStoreConformance) {
    it(titleOf(testCase), async (context) => {
      const reason = await inVirtualTime((_world, runtime) => runCase(runtime, testCase, trial))
      if (reason !== undefined) context.skip(reason)
    })
  }
})

const publishing = (
  store: WorkStore,
  change: (message: WorkMessage, index: number) => WorkMessage,
): WorkStore => ({
  ...store,
  publish: (queue, messages) => store.publish(queue, messages.map(change)),
})

/** Knows of every delivery which message it was of, and which delivery of it came last. */
function settlesTheLatest(store: WorkStore): WorkStore {
  const messageOf = new Map<string, string>()
  const latestOf = new Map<string, string>()
  return {
    ...store,
    async claim(queue, request) {
      const deliveries = await store.claim(queue, request)
      for (const { message, receipt } of deliveries) {
        messageOf.set(receipt, message.id)
        latestOf.set(message.id, receipt)
      }
      return deliveries
    },
    settle: (queue, settlements) =>
      store.settle(
        queue,
        settlements.map((one) => ({
          ...one,
          receipt: latestOf.get(messageOf.get(one.receipt) ?? '') ?? one.receipt,
        })),
      ),
  }
}

let strangers = 0

/** Bugs that real queues have had. Each must turn a named case red. */
const bugs: readonly {
  readonly name: string
  readonly caughtBy: string
  broken(store: WorkStore): WorkStore
}[] = [
  {
    name: 'a settlement names the message, not the delivery',
    caughtBy: 'the late settlement of an expired delivery is lost and cannot settle the new one',
    broken: settlesTheLatest,
  },
  {
    name: 'attempts are forgotten with the consumer',
    caughtBy: 'attempts are counted even if every consumer dies without a word',
    broken: (store) => ({
      ...store,
      claim: async (queue, request) =>
        (await store.claim(queue, request)).map((delivery) => ({ ...delivery, attempt: 1 })),
    }),
  },
  {
    name: 'the key is ignored',
    caughtBy: 'of one key one message is in flight, over two consumers',
    broken: (store) => publishing(store, ({ key, ...rest }) => rest),
  },
  {
    name: 'the delay is ignored',
    caughtBy: 'a delayed message is never early and then comes in order of due time',
    broken: (store) => publishing(store, ({ delayMs, ...rest }) => rest),
  },
  {
    name: 'a long delay wraps around at 2^31',
    caughtBy: 'a delay of a century is kept, not wrapped around',
    broken: (store) =>
      publishing(store, (message) => ({
        ...message,
        delayMs: Math.max(0, (message.delayMs ?? 0) | 0),
      })),
  },
  {
    name: 'every publication is new',
    caughtBy: 'a publication repeated after an unknown outcome is stored once',
    broken: (store) =>
      publishing(store, (message) => {
        strangers += 1
        return { ...message, id: `${message.id}/${strangers}` }
      }),
  },
  {
    name: 'the limit is ignored',
    caughtBy: 'a full queue refuses the whole publication, and takes it when there is room again',
    broken: (store) => ({
      ...store,
      declare: (queue, limits) => store.declare(queue, { ...limits, lengthMax: 10_000_000 }),
    }),
  },
  {
    name: 'priorities are ignored',
    caughtBy: 'a more urgent priority comes first, whatever its age',
    broken: (store) => publishing(store, ({ priority, ...rest }) => rest),
  },
  {
    name: 'the dead are deleted',
    caughtBy:
      'a dead letter keeps message, headers, reason and attempts, and leaves the queue at once',
    broken: (store) => ({
      ...store,
      settle: (queue, settlements) =>
        store.settle(
          queue,
          settlements.map((one) =>
            one.outcome === 'dead' ? { receipt: one.receipt, outcome: 'done' } : one,
          ),
        ),
    }),
  },
  {
    name: 'a retry loses its place behind its followers',
    caughtBy: 'a key keeps its order over retry, delay and expiry of the one in front',
    broken: (store) => ({
      ...store,
      settle: (queue, settlements) =>
        store.settle(
          queue,
          settlements.map((one) =>
            one.outcome === 'retry'
              ? { receipt: one.receipt, outcome: 'dead', reason: one.reason }
              : one,
          ),
        ),
    }),
  },
  {
    name: 'extend says yes to whoever asks',
    caughtBy: 'extend keeps a delivery beyond its lease, and does nothing for an expired one',
    broken: (store) => ({
      ...store,
      extend: async (_queue, receipts) => receipts.map(() => true),
    }),
  },
  {
    name: 'a redriven letter comes back as another message',
    caughtBy: 'a letter redriven ten times stays dead',
    broken: (store) => ({
      ...store,
      async redrive(queue, ids) {
        const letters = await store.deadLetters(queue, { limit: 100 })
        const again = letters.filter(({ message }) => ids.includes(message.id))
        strangers += 1
        await store.publish(
          queue,
          again.map(({ message }) => ({ ...message, id: `${message.id}/${strangers}` })),
        )
        return again.length
      },
    }),
  },
]

describe('the cases of work find', () => {
  for (const { name, caughtBy, broken } of bugs) {
    it(`G-14: ${name}`, async () => {
      const testCase = workStoreConformance.find((one) => one.name === caughtBy)
      if (testCase === undefined) throw new Error(`no case is called "${caughtBy}"`)
      const run = inVirtualTime((_world, runtime) =>
        runCase(runtime, testCase, { ...trial, broken }),
      )
      await expect(run).rejects.toThrow(CheckFailed)
    })
  }
})
