import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import type { FaultKind } from '../simulation/world.ts'
import { expectClean, simulate } from '../testing/index.ts'
import { type IdempotencyPlant, idempotencyTrial } from './idempotency.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 200)
const faults: readonly FaultKind[] = ['kill', 'pause', 'machine-crash', 'hint-loss', 'slow-disk']
const options = { faults, durationMs: 5_000, livenessMs: 120_000 }

describe('idempotency keys under faults', () => {
  it('IK-1, IK-3, IK-4: one answer and one effect per key', async () => {
    const report = await simulate({ ...options, seeds }, idempotencyTrial())
    expectClean(report)
    expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.8)
    for (const label of ['executed', 'replayed', 'in-progress', 'a takeover']) {
      expect([label, (report.reached[label] ?? 0) > seeds / 10]).toEqual([label, true])
    }
  })
})

describe('planted bugs are found', () => {
  const found = async (plant: IdempotencyPlant, kinds = faults): Promise<string | undefined> => {
    const run = { ...options, faults: kinds, seeds: 150 }
    return (await simulate(run, idempotencyTrial(plant))).failures[0]?.name
  }

  it('IK-4: the effect is not tied to the key', async () => {
    expect(await found({ careless: true })).toBe('twice')
  })

  it('IK-3: a late owner overwrites the answer', async () => {
    const store: IdempotencyPlant['store'] = (sound) => ({
      ...sound,
      put: (write) =>
        sound.put(typeof write.expected === 'bigint' ? { ...write, expected: 'any' } : write),
    })
    expect(await found({ store })).toBe('two-answers')
  })

  it('the answer is told before it is durable', async () => {
    expect(await found({ durability: 'relaxed' }, ['machine-crash'])).toBe('two-answers')
  })
})
