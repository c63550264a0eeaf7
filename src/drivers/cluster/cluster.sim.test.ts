import { describe, expect, it } from 'vitest'
import { expectClean, simulate } from '../../testing/index.ts'
import { clusterFaults, clusterTrial } from './cluster.sim.ts'

const seeds = Number(process.env.CLUSTER_SEEDS ?? 12)
const firstSeed = Number(process.env.CLUSTER_FIRST ?? 1)
const options = { faults: clusterFaults, durationMs: 10_000, livenessMs: 300_000 } as const

describe('a cluster under faults', () => {
  it(`LK-1, LK-2, RG-2, RF-5, RF-9: all judges are content, over ${seeds} seeds`, async () => {
    const started = Date.now()
    const report = await simulate({ ...options, seeds, firstSeed }, clusterTrial())
    console.log(report, Date.now() - started)
    expectClean(report, seeds / 2)
    expect(report.reached['a lease was granted']).toBe(seeds)
  })
})
