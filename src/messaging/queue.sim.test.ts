import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import type { WorkStore } from '../ports/work-store.ts'
import type { FaultKind, SimulationReport } from '../simulation/world.ts'
import { expectClean, simulate } from '../testing/index.ts'
import { type QueueTrialOptions, queueTrial } from './queue.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 60)
const firstSeed = Number(env.HOLDFAST_FIRST_SEED ?? 1)
const timeoutMs = 120_000 + seeds * 1_000
const faults: readonly FaultKind[] = [
  'kill',
  'pause',
  'machine-crash',
  'hint-loss',
  'slow-disk',
  'wall-clock-step',
]
const options = { faults, durationMs: 5_000, livenessMs: 300_000 }

it(
  'QU-1, QU-2, QU-3, KO-1, QD-1: no loss, no phantom, one effect, order by key',
  async () => {
    const report = await simulate({ ...options, seeds, firstSeed }, queueTrial())
    expectClean(report)
    expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.5)
    expect(report.reached['an attempt was repeated'] ?? 0).toBeGreaterThan(0)
    expect(report.reached['a message came twice'] ?? 0).toBeGreaterThan(0)
  },
  timeoutMs,
)

describe('planted bugs are found', () => {
  const found = (plant: QueueTrialOptions): Promise<SimulationReport> =>
    simulate({ ...options, seeds: 100, failuresMax: 1 }, queueTrial(plant))

  it('the acknowledgement before the effect', async () => {
    const { failures } = await found({ ackFirst: true })
    expect(['no-loss', 'order', 'no-progress']).toContain(failures[0]?.name)
  }, 180_000)

  it('the effect without its note', async () => {
    expect((await found({ noNote: true })).failures[0]?.name).toMatch(/once|order/)
  }, 180_000)

  it('a claim that settles at once: at most once instead of at least once', async () => {
    const breakStore = (work: WorkStore): WorkStore => ({
      ...work,
      async claim(name, request) {
        const deliveries = await work.claim(name, request)
        const receipts = deliveries.map(({ receipt }) => ({ receipt, outcome: 'done' as const }))
        if (receipts.length > 0) await work.settle(name, receipts)
        return deliveries
      },
    })
    const { failures } = await found({ breakStore })
    expect(['no-loss', 'order', 'no-progress']).toContain(failures[0]?.name)
  }, 180_000)
})
