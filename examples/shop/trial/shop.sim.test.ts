import { env } from 'node:process'
import { expectClean, simulate } from 'holdfast/testing'
import { describe, expect, it } from 'vitest'
import { options, shopTrial } from './scenario.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 40)
const firstSeed = Number(env.HOLDFAST_FIRST_SEED ?? 1)
const timeoutMs = 60_000 + seeds * 5_000

describe('every order ends as its customer expects, exactly once', () => {
  it(
    'whatever dies',
    async () => {
      const report = await simulate({ ...options, seeds, firstSeed }, shopTrial({ mayFail: false }))
      expectClean(report)
      expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.5)
      expect(report.reached['a customer asked again'] ?? 0).toBeGreaterThan(seeds * 0.2)
      for (const label of [
        'confirmed, expected confirmed',
        'rejected, expected rejected',
        'confirmed, expected either',
      ]) {
        expect(report.reached[label] ?? 0, label).toBeGreaterThan(seeds * 0.3)
      }
    },
    timeoutMs,
  )

  it(
    'and calls that come late, twice and without an answer',
    async () => {
      const some = { seeds: Math.ceil(seeds / 5), firstSeed: 10_000 + firstSeed }
      const report = await simulate(
        { ...options, ...some, faults: 'all' },
        shopTrial({ rough: true }),
      )
      expectClean(report)
    },
    timeoutMs,
  )

  it(
    'while the order service goes from one saga version to the next, instance by instance',
    async () => {
      const some = { seeds: Math.ceil(seeds / 5), firstSeed: 20_000 + firstSeed }
      const deployAtMs = { 'order-1': 8_000, 'order-2': 14_000 }
      const report = await simulate(
        { ...options, ...some },
        shopTrial({ deployAtMs, mayFail: false }),
      )
      expectClean(report)
      expect(report.reached['an order of version 1'] ?? 0).toBeGreaterThan(some.seeds * 0.5)
      expect(report.reached['an order of version 2'] ?? 0).toBeGreaterThan(some.seeds * 0.5)
    },
    timeoutMs,
  )
})
