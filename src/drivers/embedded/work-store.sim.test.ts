import { describe, expect, it } from 'vitest'
import type { WorkStore } from '../../ports/work-store.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { workTrial, workTrialFaults } from './work-store.sim.ts'

const seeds = Number(process.env.HOLDFAST_SEEDS ?? 200)
const options = { faults: workTrialFaults, durationMs: 1_200 }

describe('embedded work under faults', () => {
  it(
    `QU-1, QU-2, QU-3, QU-6, QD-1, DL-1, KO-1, KO-2, KO-3: over ${seeds} seeds`,
    async () => {
      const report = await simulate({ ...options, seeds }, workTrial())
      expectClean(report, seeds / 2)
      for (const label of [
        'a message was delivered again',
        'a settlement came too late',
        'a publication was repeated',
        'much was done',
      ]) {
        expect(report.reached[label], label).toBeGreaterThan(seeds / 20)
      }
    },
    60_000 + seeds * 500,
  )
})

const latestOf = new Map<string, string>()
const messageOf = new Map<string, string>()

/** Each bug must be found by the judge, under the right name. */
const bugs: readonly {
  readonly name: string
  readonly verdicts: readonly string[]
  broken(store: WorkStore): WorkStore
}[] = [
  {
    name: 'a settlement names the message, not the delivery',
    verdicts: ['lost', 'late', 'twice', 'exclusion'],
    broken: (store) => ({
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
    }),
  },
  {
    name: 'the key is ignored',
    verdicts: ['exclusion', 'order'],
    broken: (store) => ({
      ...store,
      publish: (queue, messages) =>
        store.publish(
          queue,
          messages.map(({ key, headers = {}, ...rest }) => ({
            ...rest,
            headers: { ...headers, key: key ?? '' },
          })),
        ),
      claim: async (queue, request) =>
        (await store.claim(queue, request)).map(({ message, ...delivery }) => {
          const { key = '', ...headers } = message.headers ?? {}
          return { ...delivery, message: { ...message, headers, ...(key && { key }) } }
        }),
    }),
  },
  {
    name: 'done before the work: a claim settles at once',
    verdicts: ['loss', 'exclusion'],
    broken: (store) => ({
      ...store,
      async claim(queue, request) {
        const deliveries = await store.claim(queue, request)
        const settlements = deliveries.map(({ receipt }) => ({ receipt, outcome: 'done' }) as const)
        if (settlements.length > 0) await store.settle(queue, settlements)
        return deliveries
      },
      settle: async (_queue, settlements) => settlements.map(() => 'settled'),
    }),
  },
  {
    name: 'ids are forgotten at once',
    verdicts: ['twice', 'attempts', 'exclusion'],
    broken: (store) => ({
      ...store,
      declare: (queue, limits) => store.declare(queue, { ...limits, dedupMs: 0 }),
    }),
  },
  {
    name: 'attempts are forgotten',
    verdicts: ['attempts'],
    broken: (store) => ({
      ...store,
      claim: async (queue, request) =>
        (await store.claim(queue, request)).map((delivery) => ({ ...delivery, attempt: 1 })),
    }),
  },
  {
    name: 'a delay is cut short',
    verdicts: ['early'],
    broken: (store) => ({
      ...store,
      publish: (queue, messages) =>
        store.publish(
          queue,
          messages.map((one) => ({ ...one, delayMs: Math.floor((one.delayMs ?? 0) / 2) })),
        ),
    }),
  },
  {
    name: 'a delivery is said to last longer than it does',
    verdicts: ['exclusion', 'lost'],
    broken: (store) => ({
      ...store,
      claim: async (queue, request) =>
        (await store.claim(queue, request)).map((delivery) => ({
          ...delivery,
          validUntilMs: delivery.validUntilMs + request.leaseMs,
        })),
    }),
  },
]

describe('the judge of work finds, within 40 seeds', () => {
  for (const { name, verdicts, broken } of bugs) {
    it(`G-14: ${name}`, async () => {
      const report = await simulate({ ...options, seeds: 40 }, workTrial({ broken }))
      expect(verdicts).toContain(report.failures[0]?.name)
    })
  }

  it('G-14: publications that a power cut takes back', async () => {
    const report = await simulate(
      { ...options, seeds: 40, faults: ['machine-crash'] },
      workTrial({ durability: { work: 'relaxed' } }),
    )
    expect(['loss', 'twice', 'attempts']).toContain(report.failures[0]?.name)
  })
})
