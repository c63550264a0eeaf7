import { env } from 'node:process'
import { expectClean, simulate } from 'holdfast/testing'
import { expect, it } from 'vitest'
import { options, shopTrial } from './scenario.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 40)
const firstSeed = Number(env.HOLDFAST_FIRST_SEED ?? 1)

it(
  'every order ends as its customer expects, exactly once, whatever dies',
  async () => {
    const report = await simulate({ ...options, seeds, firstSeed }, shopTrial())
    if (env.HOLDFAST_REPORT) console.log(report)
    expectClean(report)
    expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.5)
  },
  60_000 + seeds * 2_000,
)
