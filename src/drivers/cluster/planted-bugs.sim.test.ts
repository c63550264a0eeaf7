import { describe, expect, it } from 'vitest'
import { expectClean, simulate } from '../../testing/index.ts'
import { clusterFaults, clusterTrial } from './cluster.sim.ts'
import { plantedBugs } from './planted-bugs.sim.ts'

const options = { durationMs: 10_000, livenessMs: 300_000 } as const

describe('the judges find that', () => {
  for (const { name, verdicts, trial, seeds, faults = clusterFaults } of plantedBugs) {
    it(`G-14: ${name}`, async () => {
      const report = await simulate({ ...options, faults, seeds }, clusterTrial(trial))
      const [failure] = report.failures
      expect(verdicts, `${failure?.seed}: ${failure?.message}`).toContain(failure?.name)
    })
  }

  it('G-14: nothing is wrong where nothing was planted', async () => {
    const [alone] = plantedBugs
    const { trial: _, ...workload } = alone?.trial ?? {}
    const faults = alone?.faults ?? []
    expectClean(await simulate({ ...options, faults, seeds: 10 }, clusterTrial(workload)), 3)
  })
})
