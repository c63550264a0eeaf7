import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import type { RecordStore } from '../ports/record-store.ts'
import type { FaultKind, SimulationReport } from '../simulation/world.ts'
import { expectClean, simulate } from '../testing/index.ts'
import { type DecisionPlant, decisionTrial, trialSpace } from './decision.sim.ts'
import { encodeRecord } from './decision-record.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 300)
const faults: readonly FaultKind[] = [
  'kill',
  'pause',
  'machine-crash',
  'hint-loss',
  'slow-disk',
  'wall-clock-step',
]
const options = { faults, durationMs: 5_000, livenessMs: 120_000 }
const share = 0.2

describe('the decision kernel under faults', () => {
  it('G-1, G-4, G-5: one outcome, no state lost, no save of an old epoch', async () => {
    const report = await simulate({ ...options, seeds }, decisionTrial({ share }))
    expectClean(report)
    expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.8)
    expect(report.reached['a late owner was refused'] ?? 0).toBeGreaterThan(seeds / 4)
    expect(report.reached['a takeover'] ?? 0).toBeGreaterThan(seeds / 2)
    expect(report.reached['an owner decided'] ?? 0).toBeGreaterThan(seeds / 2)
  })
})

describe('planted bugs are found', () => {
  const found = (plant: DecisionPlant): Promise<SimulationReport> =>
    simulate({ ...options, seeds: 200 }, decisionTrial(plant))

  it('a late decision overwrites the first one', async () => {
    const kernel: DecisionPlant['kernel'] = (sound, store) => ({
      ...sound,
      async decide(id, outcome) {
        const value = encodeRecord({ status: 'decided', epoch: 0n, stamp: 'late', outcome })
        await store.put({ space: trialSpace, key: id, expected: 'any', value })
        return { outcome, won: true }
      },
    })
    const [failure] = (await found({ share, kernel })).failures
    expect(failure?.name).toBe('two-outcomes')
  })

  it('a save that does not look at the epoch', async () => {
    const store = (sound: RecordStore): RecordStore => ({
      ...sound,
      put: (write) =>
        sound.put(
          typeof write.expected === 'bigint' && write.value.includes('"status":"open"')
            ? { ...write, expected: 'any' }
            : write,
        ),
    })
    const [failure] = (await found({ share, store })).failures
    expect(['stale-save', 'reopened', 'lost-state']).toContain(failure?.name)
  })

  it('what is told is not yet durable', async () => {
    const [failure] = (await found({ share, durability: 'relaxed' })).failures
    expect(['two-outcomes', 'lost-state', 'reopened', 'stale-save']).toContain(failure?.name)
  })
})
