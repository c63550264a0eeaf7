import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import { expectClean, simulate } from '../../testing/index.ts'
import { clusterFaults, clusterTrial } from './cluster.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 5)
const firstSeed = Number(env.HOLDFAST_FIRST_SEED ?? 1)
const options = { faults: clusterFaults, durationMs: 10_000, livenessMs: 300_000 } as const

describe('a cluster under faults', () => {
  it(`LK-1, LK-2, RG-2, RF-5, RF-9: all judges are content, over ${seeds} seeds`, async () => {
    const report = await simulate({ ...options, seeds, firstSeed }, clusterTrial())
    expectClean(report, seeds / 2)
    expect(report.reached['a lease was granted']).toBe(seeds)
    expect(report.reached['a snapshot was taken']).toBeGreaterThan(0)
    expect(report.reached['there were several leaders']).toBeGreaterThan(0)
  })
})
