import { describe, expect, it } from 'vitest'
import { expectClean, simulate } from '../index.ts'
import { engineFaults } from './engine-leases.sim.ts'
import { redisTrial } from './redis-engine.sim.ts'

const seeds = 15

describe('a lock in a redis-like store whose primary dies', () => {
  it('LR-2, G-14: loses updates without an external fence', async () => {
    const report = await simulate({ seeds: 40 }, redisTrial({ fence: 'none', failover: true }))
    expect(report.failures[0]?.name).toBe('lost-update')
  })

  it(`LR-2, G-4: loses none with one, over ${seeds} seeds`, async () => {
    const report = await simulate({ seeds }, redisTrial({ fence: 'external', failover: true }))
    expectClean(report)
    expect(report.reached['the replica took over']).toBe(seeds)
    expect(report.reached['there was work']).toBe(seeds)
    expect(report.reached['a write was refused or unknown']).toBeGreaterThan(0)
  })

  it(`LR-2, G-4: loses none with one under random faults, over ${seeds} seeds`, async () => {
    const report = await simulate(
      { seeds, faults: engineFaults, durationMs: 20_000 },
      redisTrial({ fence: 'external', failover: true }),
    )
    expectClean(report, seeds / 2)
    expect(report.reached['an outcome was unknown']).toBeGreaterThan(0)
  })

  it(`LK-1: loses none without one as long as no primary dies, over ${seeds} seeds`, async () => {
    const report = await simulate({ seeds }, redisTrial({ fence: 'none', failover: false }))
    expectClean(report)
    expect(report.reached['there was work']).toBe(seeds)
  })
})
