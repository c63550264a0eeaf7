import { describe, expect, it } from 'vitest'
import type { Registry } from '../../ports/registry.ts'
import { expectClean, simulate } from '../index.ts'
import { embeddedEngine } from './embedded-engine.ts'
import { engineFaults } from './engine-leases.sim.ts'
import { type EngineRegistryTrial, engineRegistryTrial } from './engine-registry.sim.ts'
import { etcdEngine } from './etcd-engine.ts'
import { zookeeperEngine } from './zookeeper-engine.ts'

const seeds = 20
const durationMs = 15_000

const engines: readonly {
  readonly name: string
  readonly engine: EngineRegistryTrial['engine']
}[] = [
  { name: 'embedded behind a network', engine: embeddedEngine },
  { name: 'etcd-like', engine: etcdEngine },
  { name: 'zookeeper-like', engine: zookeeperEngine },
]

const losesEveryThird = (registry: Registry): Registry => ({
  ...registry,
  async *watch(prefix, options) {
    let count = 0
    for await (const change of registry.watch(prefix, options)) {
      count += 1
      if (count % 3 !== 0) yield change
    }
  },
})

for (const { name, engine } of engines) {
  describe(`registry, ${name}, under faults`, () => {
    it(`RG-1, RG-2: no ghosts, no gaps, over ${seeds} seeds`, async () => {
      const report = await simulate(
        { seeds, faults: engineFaults, durationMs },
        engineRegistryTrial({ engine }),
      )
      expectClean(report, seeds / 2)
      expect(report.reached['an instance was registered']).toBe(seeds)
      expect(report.reached['an entry was expired']).toBeGreaterThan(0)
    })

    it('G-14: a watch with gaps is found', async () => {
      const report = await simulate(
        { seeds: 20, faults: engineFaults, durationMs },
        engineRegistryTrial({ engine, broken: losesEveryThird }),
      )
      expect(['order', 'news']).toContain(report.failures[0]?.name)
    })
  })
}
