import { expect, it } from 'vitest'
import { expectClean, simulate } from '../testing/index.ts'
import { brownOut } from './brown-out.sim.ts'

const options = { durationMs: 120_000, seeds: 5 }

it('RY-3: in a brown-out a shared budget bounds the load to 1.15 times the requests', async () => {
  // 0.1 by ratio, 1 per second of 200, and the burst of 10 in 12_000.
  const report = await simulate(options, brownOut({ isBudgeted: true, amplificationMax: 1.15 }))
  expectClean(report)
})

it('without a budget the same judge sees it multiplied (negative control)', async () => {
  const report = await simulate(options, brownOut({ isBudgeted: false, amplificationMax: 3 }))
  expect(report.failures.map(({ name }) => name)).toEqual(['amplification'])
})
