import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import type { Registry } from '../../ports/registry.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { leaseTrialFaults as faults } from './lease-store.sim.ts'
import { registryTrial } from './registry.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 60)
const durationMs = 3_000

describe('embedded registry under faults', () => {
  it(`RG-1, RG-2: nothing missed, stolen or kept too long, over ${seeds} seeds`, async () => {
    const report = await simulate({ seeds, faults, durationMs }, registryTrial())
    expectClean(report, seeds / 2)
    expect(report.reached['a session was lost']).toBeGreaterThan(0)
  })
})

/** Each bug must be found by the judge, under the right name. */
const bugs: readonly {
  readonly name: string
  readonly verdict: string
  broken(registry: Registry): Registry
}[] = [
  {
    name: 'a watch that resumes starts from now',
    verdict: 'gap',
    broken: (registry) => ({
      ...registry,
      async *watch(prefix, { signal, fromRevision }) {
        for await (const change of registry.watch(prefix, { signal })) {
          if (change.kind !== 'snapshot' || fromRevision === undefined) yield change
        }
      },
    }),
  },
  {
    name: 'a list leaves out an entry',
    verdict: 'snapshot',
    broken: (registry) => ({
      ...registry,
      async list(prefix) {
        const { revision, entries } = await registry.list(prefix)
        return { revision, entries: entries.slice(1) }
      },
    }),
  },
  {
    name: 'sessions of the dead live on',
    verdict: 'ghost',
    broken: (registry) => ({
      ...registry,
      openSession: (options) => registry.openSession({ ...options, ttlMs: 60_000 }),
    }),
  },
]

describe('the judge of registries finds, within 50 seeds', () => {
  for (const { name, verdict, broken } of bugs) {
    it(`G-14: ${name}`, async () => {
      const trial = registryTrial({ broken })
      const report = await simulate({ seeds: 50, faults, durationMs }, trial)
      const found = report.failures[0]?.name
      expect(name.startsWith('a list') ? [verdict, 'vanished'] : [verdict]).toContain(found)
    })
  }
})
