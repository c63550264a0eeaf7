import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import type { FaultKind, SimulationReport } from '../simulation/world.ts'
import { expectClean, simulate } from '../testing/index.ts'
import { type PositionTrialOptions, positionTrial } from './position.sim.ts'
import type { Position, Positions } from './position.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 300)
/** A shared machine is slow at times; a seed takes some 20 ms on an idle one. */
const timeoutMs = 120_000 + seeds * 1_000
const faults: readonly FaultKind[] = ['kill', 'pause', 'machine-crash', 'hint-loss', 'slow-disk']
const options = { faults, durationMs: 2_000, livenessMs: 120_000 }

it(
  'G-6: an effect may be repeated, and is never skipped',
  async () => {
    const report = await simulate({ ...options, seeds }, positionTrial())
    expectClean(report)
    expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.5)
    expect(report.reached['an effect was repeated'] ?? 0).toBeGreaterThan(seeds / 10)
    expect(report.reached['an old owner was refused'] ?? 0).toBeGreaterThan(seeds / 10)
    expect(report.reached['seen half way'] ?? 0).toBeGreaterThan(seeds / 2)
  },
  timeoutMs,
)

describe('planted bugs are found', () => {
  const found = async (plant: PositionTrialOptions): Promise<SimulationReport> =>
    simulate({ ...options, seeds: 100, failuresMax: 1 }, positionTrial(plant))

  it('the bookmark moves before the effect is durable', async () => {
    expect((await found({ finishFirst: true })).failures[0]?.name).toBe('skipped')
  })

  it('the bookmark moves whoever owns it', async () => {
    const careless = (position: Position, all: Positions): Position => ({
      ...position,
      name: position.name,
      get value() {
        return position.value
      },
      generation: position.generation,
      advance: async (to) => (await all.open(position.name)).advance(to),
    })
    expect((await found({ position: careless })).failures[0]?.name).toBe('two-owners')
  })
})
