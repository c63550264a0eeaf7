import { env } from 'node:process'
import { expect, it } from 'vitest'
import type { Registry, RegistryChange } from '../../ports/registry.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { type DiscoveryTrial, discoveryFaults, discoveryTrial } from './discovery.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 200)

const run = (seeds: number, trial: DiscoveryTrial) =>
  simulate(
    { seeds, faults: discoveryFaults, faultsMax: 6, durationMs: 10_000 },
    discoveryTrial(trial),
  )

it('RG-1, RG-3, RG-4, LB-1: under faults lists stay sane and agree after healing', async () => {
  const tookMs: number[] = []
  const report = await run(seeds, { converged: (ms) => tookMs.push(ms) })
  expectClean(report, seeds * 0.75)
  expect(tookMs.length).toBeGreaterThanOrEqual(seeds)
  // The pause of the watch is 5 s at most; what was expired meanwhile is held for 5 s more.
  expect(Math.max(...tookMs)).toBeLessThanOrEqual(11_000)
  for (const label of [
    'a list outlived an outage',
    'a list was protected',
    'a list was stale',
    'an instance left',
    'an instance was cut off',
    'an old incarnation left late',
  ]) {
    expect(report.reached[label], label).toBeGreaterThan(seeds / 20)
  }
})

/** Changes what a consumer hears. */
function hearing(
  registry: Registry,
  change: (heard: AsyncIterable<RegistryChange>) => AsyncIterable<RegistryChange>,
): Registry {
  return { ...registry, watch: (prefix, options) => change(registry.watch(prefix, options)) }
}

it('a list that is emptied when the registry is lost is found (negative control)', async () => {
  const report = await run(20, {
    breakConsumers: (registry) =>
      hearing(registry, async function* (heard) {
        let revision = 0n
        const keys = new Map<string, string>()
        try {
          for await (const change of heard) {
            revision = change.revision
            if (change.kind === 'put') keys.set(change.entry.key, change.entry.sessionId)
            if (change.kind === 'snapshot') {
              for (const { key, sessionId } of change.entries) keys.set(key, sessionId)
            }
            yield change
          }
        } catch (error) {
          const cause = 'deregistered'
          for (const [key, sessionId] of keys) {
            yield { kind: 'removed', revision, key, sessionId, cause }
          }
          throw error
        }
      }),
  })
  expect(['emptied', 'outage']).toContain(report.failures[0]?.name)
})

it('news that brings back what was deregistered is found (negative control)', async () => {
  const report = await run(20, {
    breakConsumers: (registry) =>
      hearing(registry, async function* (heard) {
        const puts = new Map<string, RegistryChange & { kind: 'put' }>()
        for await (const change of heard) {
          yield change
          if (change.kind === 'put') puts.set(change.entry.key, change)
          const put = change.kind === 'removed' ? puts.get(change.key) : undefined
          if (put === undefined) continue
          // Old news passed off as the newest: the catalog cannot know, the judge must.
          const entry = { ...put.entry, revision: change.revision + 1n }
          yield { kind: 'put', revision: change.revision, entry }
        }
      }),
  })
  expect(['resurrection', 'lingering']).toContain(report.failures[0]?.name)
})

it('the same old news under its old revision is refused, and does no harm', async () => {
  const report = await run(20, {
    breakConsumers: (registry) =>
      hearing(registry, async function* (heard) {
        const puts = new Map<string, RegistryChange & { kind: 'put' }>()
        for await (const change of heard) {
          yield change
          if (change.kind === 'put') puts.set(change.entry.key, change)
          const put = change.kind === 'removed' ? puts.get(change.key) : undefined
          if (put !== undefined) yield { ...put, revision: change.revision }
        }
      }),
  })
  expectClean(report)
})

it('an instance that does not notice its lost session is found (negative control)', async () => {
  const report = await run(20, {
    breakInstances: (registry) => ({
      ...registry,
      async openSession(options) {
        const session = await registry.openSession(options)
        const { id, incarnation } = session
        const lost = new AbortController().signal
        const validUntilMs = () => session.validUntilMs()
        return { id, incarnation, lost, validUntilMs, close: () => session.close() }
      },
    }),
  })
  expect(report.failures.map(({ name }) => name)).toEqual(['agreement'])
})
