import { describe, expect, it } from 'vitest'
import { outcomeOf } from '../../errors.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import { expectClean, simulate } from '../index.ts'
import { embeddedEngine } from './embedded-engine.ts'
import { engineFaults } from './engine-leases.sim.ts'
import { type EngineRecordTrial, engineRecordTrial } from './engine-records.sim.ts'
import { etcdEngine } from './etcd-engine.ts'

const options = { faults: engineFaults, durationMs: 10_000 } as const

const engines: readonly {
  readonly name: string
  readonly seeds: number
  readonly engine: EngineRecordTrial['engine']
}[] = [
  { name: 'embedded behind a network', seeds: 6, engine: embeddedEngine },
  { name: 'etcd-like', seeds: 15, engine: etcdEngine },
]

/** Each bug must be found under this name. */
const bugs: readonly {
  readonly name: string
  readonly verdict: string
  broken(store: RecordStore): RecordStore
}[] = [
  {
    name: 'an unknown deletion is taken for one that happened',
    verdict: 'linearizable(record)',
    broken: (store) => ({
      ...store,
      delete: (space, key, expected) =>
        store.delete(space, key, expected).catch((error: unknown) => {
          if (outcomeOf(error) !== 'unknown') throw error
          return true
        }),
    }),
  },
  {
    name: 'an increment is repeated after an unknown one',
    verdict: 'linearizable(record)',
    broken: (store) => ({
      ...store,
      increment: (space, key, by) =>
        store.increment(space, key, by).catch((error: unknown) => {
          if (outcomeOf(error) !== 'unknown') throw error
          return store.increment(space, key, by)
        }),
    }),
  },
  {
    name: 'many writes are made one by one',
    verdict: 'atomic',
    broken: (store) => ({
      ...store,
      async putAll(writes) {
        const versions: bigint[] = []
        for (const write of writes) {
          const version = await store.put(write)
          if (version === undefined) return undefined
          versions.push(version)
        }
        return versions
      },
    }),
  },
]

for (const { name, seeds, engine } of engines) {
  describe(`records, ${name}, under faults`, () => {
    it(`G-1, G-4: linearizable one by one and atomic together, over ${seeds} seeds`, async () => {
      const report = await simulate({ ...options, seeds }, engineRecordTrial({ engine }))
      expectClean(report, Math.floor(seeds / 2))
      expect(report.reached['money was moved']).toBe(seeds)
      expect(report.reached['a move met another']).toBeGreaterThan(0)
      expect(report.reached['an outcome was unknown']).toBeGreaterThan(0)
    })
  })
}

describe('the judges of records find that', () => {
  for (const { name, verdict, broken } of bugs) {
    it(`G-14: ${name}`, async () => {
      const trial = engineRecordTrial({ engine: etcdEngine, broken })
      const report = await simulate({ ...options, seeds: 60 }, trial)
      expect(report.failures[0]?.name).toBe(verdict)
    })
  }
})
