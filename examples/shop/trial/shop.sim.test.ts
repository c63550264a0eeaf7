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
      const report = await simulate({ ...options, seeds, firstSeed }, shopTrial())
      expectClean(report)
      expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.5)
      expect(report.reached['a customer asked again'] ?? 0).toBeGreaterThan(seeds * 0.2)
      expect(report.reached['an order to be rejected'] ?? 0).toBeGreaterThan(seeds * 0.5)
    },
    timeoutMs,
  )

  it(
    'and calls that come late, twice and without an answer',
    async () => {
      const some = { seeds: Math.ceil(seeds / 4), firstSeed: 10_000 + firstSeed }
      expectClean(await simulate({ ...options, ...some }, shopTrial({ rough: true })))
    },
    timeoutMs,
  )

  it(
    'while the order service goes from one saga version to the next, instance by instance',
    async () => {
      const some = { seeds: Math.ceil(seeds / 4), firstSeed: 20_000 + firstSeed }
      const deployAtMs = { 'order-1': 8_000, 'order-2': 14_000 }
      const report = await simulate({ ...options, ...some }, shopTrial({ deployAtMs }))
      expectClean(report)
      expect(report.reached['an order of version 1'] ?? 0).toBeGreaterThan(some.seeds * 0.5)
      expect(report.reached['an order of version 2'] ?? 0).toBeGreaterThan(some.seeds * 0.5)
    },
    timeoutMs,
  )
})
