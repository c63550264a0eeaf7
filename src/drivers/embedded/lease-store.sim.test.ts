import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import type { LeaseStore } from '../../ports/lease-store.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { leaseTrial, leaseTrialFaults } from './lease-store.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 200)

describe('embedded leases under faults', () => {
  it(`LK-1, LK-2, LK-4, LK-8: one holder and growing tokens, over ${seeds} seeds`, async () => {
    const report = await simulate(
      { seeds, faults: leaseTrialFaults, durationMs: 5_000 },
      leaseTrial(),
    )
    expectClean(report, seeds / 2)
    expect(report.reached['a lease was granted']).toBe(seeds)
    expect(report.reached['the fence refused a write']).toBeGreaterThan(0)
    expect(report.reached['a release came late']).toBeGreaterThan(0)
  })
})

/** Each bug must be found by the judge, under the right name. */
const bugs: readonly {
  readonly name: string
  readonly verdicts: readonly string[]
  broken(store: LeaseStore): LeaseStore
}[] = [
  {
    name: 'nobody is excluded',
    verdicts: ['exclusion'],
    broken: (store) => ({
      ...store,
      async acquire(request) {
        await store.evict(request.name)
        return store.acquire(request)
      },
    }),
  },
  {
    name: 'release ignores the token',
    verdicts: ['exclusion', 'fence'],
    broken: (store) => ({ ...store, release: (lease) => store.evict(lease.name) }),
  },
  {
    name: 'the token is constant',
    verdicts: ['identity'],
    broken: (store) => ({
      ...store,
      async acquire(request) {
        const lease = await store.acquire(request)
        return lease && { ...lease, token: 7n }
      },
    }),
  },
  {
    name: 'a renewal that was refused is believed',
    verdicts: ['exclusion', 'fence'],
    broken: (store) => ({
      ...store,
      renew: (lease, ttlMs) =>
        store.renew(lease, ttlMs).catch(() => ({
          ...lease,
          validUntilMs: lease.validUntilMs + ttlMs,
        })),
    }),
  },
]

describe('the judge of leases finds, within 50 seeds', () => {
  for (const { name, verdicts, broken } of bugs) {
    it(`G-14: ${name}`, async () => {
      const report = await simulate(
        { seeds: 50, faults: leaseTrialFaults, durationMs: 5_000 },
        leaseTrial({ broken }),
      )
      expect(verdicts).toContain(report.failures[0]?.name)
    })
  }

  it('LK-2: tokens that a power cut can take back', async () => {
    const report = await simulate(
      { seeds: 50, faults: ['machine-crash'], durationMs: 5_000 },
      leaseTrial({ durability: { leases: 'relaxed' } }),
    )
    expect(['order', 'identity']).toContain(report.failures[0]?.name)
  })
})
