import { describe, expect, it } from 'vitest'
import type { LeaseStore } from '../../ports/lease-store.ts'
import { expectClean, simulate } from '../index.ts'
import { embeddedEngine } from './embedded-engine.ts'
import { type EngineLeaseTrial, engineFaults, engineLeaseTrial } from './engine-leases.sim.ts'
import { etcdEngine } from './etcd-engine.ts'
import { flawedZookeeper, zookeeperEngine } from './zookeeper-engine.ts'

const seeds = 30
const durationMs = 12_000

const engines: readonly { readonly name: string; readonly engine: EngineLeaseTrial['engine'] }[] = [
  { name: 'embedded behind a network', engine: embeddedEngine },
  { name: 'etcd-like', engine: etcdEngine },
  { name: 'zookeeper-like', engine: zookeeperEngine },
]

/** Each bug must be found by the judge, under one of these names. */
const bugs: readonly {
  readonly name: string
  readonly verdicts: readonly string[]
  broken(store: LeaseStore): LeaseStore
}[] = [
  {
    name: 'an unknown renewal is taken for one that happened',
    verdicts: ['exclusion', 'fence'],
    broken: (store) => ({
      ...store,
      renew: (lease, ttlMs) =>
        store
          .renew(lease, ttlMs)
          .catch(() => ({ ...lease, validUntilMs: lease.validUntilMs + ttlMs })),
    }),
  },
  {
    name: 'nobody is excluded',
    verdicts: ['exclusion', 'fence'],
    broken: (store) => ({
      ...store,
      async acquire(request) {
        await store.evict(request.name)
        return store.acquire(request)
      },
    }),
  },
]

for (const { name, engine } of engines) {
  describe(`leases, ${name}, under faults`, () => {
    it(`LK-1, LK-2, G-1: one holder and growing tokens, over ${seeds} seeds`, async () => {
      const report = await simulate(
        { seeds, faults: engineFaults, durationMs },
        engineLeaseTrial({ engine }),
      )
      expectClean(report, seeds / 2)
      expect(report.reached['a lease was granted']).toBe(seeds)
      expect(report.reached['an outcome was unknown']).toBeGreaterThan(0)
      expect(report.reached['an outcome was not-applied']).toBeGreaterThan(0)
    })

    for (const { name: bug, verdicts, broken } of bugs) {
      it(`G-14: the judge finds that ${bug}`, async () => {
        const report = await simulate(
          { seeds: 60, faults: engineFaults, durationMs },
          engineLeaseTrial({ engine, broken }),
        )
        expect(verdicts).toContain(report.failures[0]?.name)
      })
    }
  })
}

describe('leases, zookeeper-like, with a bug of its own', () => {
  it('G-14: the judge finds sessions that expire by the clock of the client', async () => {
    const engine: EngineLeaseTrial['engine'] = (world) =>
      flawedZookeeper(world, { flaw: 'client-clock' })
    const report = await simulate(
      { seeds: 60, faults: [...engineFaults, 'wall-clock-step'], durationMs },
      engineLeaseTrial({ engine }),
    )
    expect(['exclusion', 'fence']).toContain(report.failures[0]?.name)
  })

  it('G-14: nodes that stay when their session expired are found', async () => {
    const engine: EngineLeaseTrial['engine'] = (world) =>
      flawedZookeeper(world, { flaw: 'dead-nodes-stay' })
    const report = await simulate(
      { seeds: 30, faults: engineFaults, durationMs, livenessMs: 30_000 },
      engineLeaseTrial({ engine }),
    )
    expect(report.failures[0]?.name).toBe('no-progress')
  })

  it('G-2: the model without them minds no clock of a client, and goes on in time', async () => {
    const report = await simulate(
      { seeds: 15, faults: [...engineFaults, 'wall-clock-step'], durationMs, livenessMs: 30_000 },
      engineLeaseTrial({ engine: zookeeperEngine }),
    )
    expectClean(report, 7)
  })
})
