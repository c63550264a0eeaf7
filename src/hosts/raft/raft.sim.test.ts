import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import { expectClean, simulate } from '../../testing/index.ts'
import { raftTrial, raftTrialFaults } from './raft.sim.ts'
import { plantedBugs } from './raft-bugs.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 40)
const options = { durationMs: 1_500, livenessMs: 60_000 }

describe('a cluster under faults', () => {
  it(`RF-1 … RF-10: one history for all, over ${seeds} seeds`, async () => {
    const report = await simulate({ ...options, seeds, faults: raftTrialFaults }, raftTrial())
    expectClean(report, Math.floor(seeds * 0.8))
    for (const label of [
      'three terms had leaders',
      'a snapshot was saved',
      'a snapshot was installed',
      'leadership was handed over',
      'a change: add-learner',
      'a change: promote',
      'a change: remove',
      'a change: replace',
      'a read under the lease',
      'an outcome was unknown',
      'a doubt was cleared',
      'a member stopped because of its disk',
    ]) {
      expect(report.reached[label] ?? 0, label).toBeGreaterThan(0)
    }
  })
})

/** Seeds after which a bug that was not found counts as missed; each is found long before. */
const bugSeeds = Number(env.HOLDFAST_BUG_SEEDS ?? 400)

describe('the judges of the trial find', () => {
  for (const { name, breaks, bug, faults = raftTrialFaults, lastsMs } of plantedBugs) {
    it(`G-14, ${breaks}: ${name}`, async () => {
      const longer = lastsMs === undefined ? {} : { durationMs: lastsMs, faultsMax: 60 }
      const report = await simulate(
        { ...options, ...longer, seeds: bugSeeds, faults },
        raftTrial({ bug, ...(lastsMs === undefined ? {} : { lastsMs }) }),
      )
      const [failure] = report.failures
      expect(failure, `not found in ${bugSeeds} seeds`).toBeDefined()
      expect(failure?.name).not.toBe('nondeterminism')
    })
  }
})
