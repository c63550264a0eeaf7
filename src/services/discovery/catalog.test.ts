import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RegistryChange, RegistryEntry } from '../../ports/registry.ts'
import { type Catalog, catalog } from './catalog.ts'
import { entryKey, entryValue } from './service-entry.ts'

const holdMs = 1_000

function entryOf(instance: string, incarnation: bigint, revision: bigint, born = incarnation) {
  const endpoint = { id: `${instance}@${born}`, address: 'h:1', weight: 1, instance, metadata: {} }
  const entry: RegistryEntry = {
    key: entryKey('s', instance, incarnation),
    value: entryValue(endpoint, born),
    sessionId: `${incarnation}`,
    incarnation,
    revision,
  }
  return entry
}

const put = (entry: RegistryEntry): RegistryChange => ({
  ...{ kind: 'put', revision: entry.revision, entry },
})
const snapshot = (revision: bigint, ...entries: RegistryEntry[]): RegistryChange => ({
  ...{ kind: 'snapshot', revision, entries },
})
const removed = (
  instance: string,
  incarnation: bigint,
  revision: bigint,
  cause: 'expired' | 'deregistered',
): RegistryChange => ({
  ...{ kind: 'removed', revision, key: entryKey('s', instance, incarnation), sessionId: '', cause },
})

function ids(known: Catalog, nowMs = 0): string {
  const { endpoints } = known.view(nowMs)
  return endpoints
    .map(({ id }) => id)
    .sort()
    .join(' ')
}

const fresh = (liveShareMin = 0): Catalog => catalog({ service: 's', holdMs, liveShareMin })

describe('catalog', () => {
  it('RG-4: old news of what is gone is refused; a later registration is welcome', () => {
    const known = fresh()
    known.apply(snapshot(1n, entryOf('a', 1n, 1n)), 0)
    known.apply(removed('a', 1n, 2n, 'deregistered'), 0)
    expect(known.apply(put(entryOf('a', 1n, 1n)), 0)).toEqual(['resurrectionRefused'])
    expect(ids(known)).toBe('')
    expect(known.apply(put(entryOf('a', 3n, 4n)), 0)).toEqual([])
    expect(ids(known)).toBe('a@3')
  })

  it('RG-1: an old registration with a new session does not push out its replacement', () => {
    const known = fresh()
    known.apply(snapshot(2n, entryOf('a', 1n, 1n), entryOf('a', 2n, 2n)), 0)
    known.apply(removed('a', 1n, 3n, 'expired'), 0)
    known.apply(put(entryOf('a', 3n, 4n, 1n)), 0)
    expect(ids(known)).toBe('a@2')
  })

  it('a registry that lost its history is believed anew', () => {
    const known = fresh()
    known.apply(snapshot(90n, entryOf('a', 70n, 80n)), 0)
    known.apply(removed('a', 70n, 91n, 'deregistered'), 0)
    expect(known.apply(snapshot(2n, entryOf('a', 1n, 2n)), 0)).toEqual(['registryHistoryLost'])
    expect(ids(known)).toBe('a@1')
  })

  it('RG-3: too few left, by the share asked for, holds those that expired of late', () => {
    const known = fresh(0.5)
    const four = ['a', 'b', 'c', 'd'].map((name, index) => entryOf(name, 1n, BigInt(index + 1)))
    known.apply(snapshot(4n, ...four), 0)
    known.apply(removed('a', 1n, 5n, 'expired'), 0)
    known.apply(removed('b', 1n, 6n, 'expired'), 100)
    expect(known.view(100).isProtected).toBe(false)
    known.apply(removed('c', 1n, 7n, 'expired'), 200)
    expect(known.view(200)).toMatchObject({ isProtected: true, recheckAtMs: 1_000 })
    expect(ids(known, 200)).toBe('a@1 b@1 c@1 d@1')
    known.apply(removed('d', 1n, 8n, 'deregistered'), 300)
    expect(ids(known, 300)).toBe('a@1 b@1 c@1')
    expect(ids(known, 1_150)).toBe('c@1')
    expect(ids(known, 1_200)).toBe('')
  })

  it('what a snapshot leaves out went without a word, and is held like the expired', () => {
    const known = fresh()
    known.apply(snapshot(1n, entryOf('a', 1n, 1n)), 0)
    known.apply(snapshot(9n), 0)
    expect(known.view(0).isProtected).toBe(true)
    expect(ids(known, holdMs)).toBe('')
  })

  it('G-11: what is remembered of the gone is bounded', () => {
    const known = fresh()
    known.apply(snapshot(0n), 0)
    for (let index = 0; index < 25_000; index++) {
      const revision = BigInt(2 * index + 1)
      known.apply(put(entryOf(`i${index}`, revision, revision)), 0)
      known.apply(removed(`i${index}`, revision, revision + 1n, 'deregistered'), 0)
    }
    // The latest are remembered, the first are forgotten.
    expect(known.apply(put(entryOf('i24999', 49_999n, 49_999n)), 0)).toEqual([
      'resurrectionRefused',
    ])
    expect(known.apply(put(entryOf('i0', 1n, 1n)), 0)).toEqual([])
  })

  it('RG-2: events after a snapshot give the same list as a later snapshot', () => {
    const steps = fc.array(
      fc.record({ instance: fc.constantFrom('a', 'b', 'c'), leaves: fc.boolean() }),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(steps, fc.nat(), (history, cut) => {
        const store = new Map<string, RegistryEntry>()
        const [byEvents, bySnapshot] = [fresh(), fresh()]
        byEvents.apply(snapshot(0n), 0)
        bySnapshot.apply(snapshot(0n), 0)
        history.forEach(({ instance, leaves }, index) => {
          const revision = BigInt(index + 1)
          const entry = store.get(instance)
          let change: RegistryChange
          if (entry !== undefined && leaves) {
            store.delete(instance)
            change = removed(instance, entry.incarnation, revision, 'deregistered')
          } else {
            const incarnation = entry?.incarnation ?? revision
            const next = entryOf(instance, incarnation, revision)
            store.set(instance, next)
            change = put(next)
          }
          byEvents.apply(change, 0)
          if (index === cut % (history.length + 1))
            bySnapshot.apply(snapshot(revision, ...store.values()), 0)
        })
        bySnapshot.apply(snapshot(BigInt(history.length), ...store.values()), 0)
        expect(ids(byEvents, holdMs)).toBe(ids(bySnapshot, holdMs))
      }),
      { seed: 14, numRuns: 300 },
    )
  })
})
