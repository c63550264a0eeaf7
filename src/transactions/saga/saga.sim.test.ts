import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import type { FaultKind } from '../../simulation/world.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { effectNotes } from '../effect.ts'
import { type SagaPlant, sagaTrial } from './saga.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 300)
const options = { faults: 'all', durationMs: 5_000, livenessMs: 20_000_000 } as const

describe('sagas under faults', () => {
  it(
    'SG-1, SG-2, SG-6: money is conserved, nothing is left reserved, every saga ends',
    async () => {
      const report = await simulate({ ...options, seeds }, sagaTrial())
      expectClean(report)
      expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.8)
      expect(report.reached.completed ?? 0).toBeGreaterThan(seeds / 2)
      expect(report.reached.compensated ?? 0).toBeGreaterThan(seeds / 2)
      expect(report.reached['a tombstone refused an original'] ?? 0).toBeGreaterThan(0)
    },
    60_000 + seeds * 500,
  )
})

describe('planted bugs are found', () => {
  const found = async (
    plant: SagaPlant,
    kinds: readonly FaultKind[] | 'all' = 'all',
  ): Promise<string | undefined> => {
    const report = await simulate({ ...options, faults: kinds, seeds: 300 }, sagaTrial(plant))
    return report.failures[0]?.name
  }

  it('SG-2: the step whose outcome is unknown is forgotten', async () => {
    const call: SagaPlant['call'] = async (work) => {
      try {
        return await work()
      } catch (error) {
        if (error instanceof OutcomeUnknownError) throw new UnavailableError('surely it failed')
        throw error
      }
    }
    expect(await found({ call })).toBe('orphan')
  })

  it('SG-2: a late original is accepted after its compensation', async () => {
    const participant: SagaPlant['participant'] = (sound, db) => ({
      ...sound,
      async undo(id, statements) {
        const note = await effectNotes(db, { scope: scopeOf(id), id }).read()
        if (note === undefined) return { status: 'undone', was: 'nothing' } // and no tombstone
        return sound.undo(id, statements)
      },
    })
    expect(await found({ participant })).toBe('orphan')
  })

  it('SG-1: what is told is not yet durable', async () => {
    expect(['lost-saga', 'orphan', 'two-outcomes']).toContain(
      await found({ durability: 'relaxed' }),
    )
  })

  it('SG-6: nobody looks at the epoch', async () => {
    const store = (sound: RecordStore): RecordStore => ({
      ...sound,
      put: (write) =>
        sound.put(typeof write.expected === 'bigint' ? { ...write, expected: 'any' } : write),
    })
    const kinds = ['pause', 'kill', 'wall-clock-step'] as const
    expect(['two-outcomes', 'missing', 'orphan', 'conservation']).toContain(
      await found({ store }, kinds),
    )
  })
})

function scopeOf(id: string): string {
  return id.includes('reserve') || id.includes('ship') ? 'stock' : 'bank'
}
