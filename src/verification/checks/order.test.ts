import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CausalStep, checkCausal } from './causal.ts'
import { compared } from './compared.sim.ts'
import { checkConvergence } from './convergence.ts'
import { checkSession, type SessionStep } from './session.ts'
import { checkSnapshots, type Snapshot } from './snapshot.ts'

const interval = fc
  .tuple(fc.nat(12), fc.constantFrom(0, 1, 3, 9))
  .map(([calledAt, lasts]) => ({ calledAt, returnedAt: calledAt + lasts }))

describe('snapshots', () => {
  const snapshot: fc.Arbitrary<Snapshot> = fc
    .tuple(fc.tuple(fc.nat(2), fc.nat(2)), interval)
    .map(([versions, times]) => ({ versions, ...times }))
  const notOlder = (a: Snapshot, b: Snapshot) =>
    a.versions.every((version, key) => version >= (b.versions[key] ?? 0))
  it('agrees with the definition', () =>
    compared(
      fc.record({
        snapshots: fc.array(snapshot, { maxLength: 3 }),
        together: fc.boolean(),
        realtime: fc.boolean(),
      }),
      ({ snapshots, together, realtime }) =>
        checkSnapshots(
          snapshots,
          together
            ? [
                new Map([
                  [0, 1],
                  [1, 2],
                ]),
              ]
            : [],
          realtime,
        ),
      ({ snapshots, together, realtime }) =>
        snapshots.some((a) =>
          snapshots.some(
            (b) =>
              (!notOlder(a, b) && !notOlder(b, a)) ||
              (realtime && a.returnedAt < b.calledAt && !notOlder(b, a)),
          ),
        ) ||
        (together && snapshots.some(({ versions: [x = 0, y = 0] }) => x >= 1 !== y >= 2)),
    ))
})

describe('sessions', () => {
  const step: fc.Arbitrary<SessionStep> = fc.record({
    process: fc.constantFrom(1, 2),
    type: fc.constantFrom('read' as const, 'write' as const),
    key: fc.constantFrom('x', 'y'),
    version: fc.nat(3),
  })
  it('agrees with the definition', () =>
    compared(
      fc.array(step, { maxLength: 5 }),
      checkSession,
      (history) =>
        history.some((a, i) =>
          history
            .slice(i + 1)
            .some(
              (b) =>
                a.process === b.process &&
                a.key === b.key &&
                (b.type === 'read' ? b.version < a.version : b.version <= a.version),
            ),
        ) || history.some(({ type, version }) => type === 'write' && version === 0),
    ))

  it('names each guarantee', () => {
    const kinds = (...steps: ['read' | 'write', number][]) =>
      Object.keys(
        checkSession(steps.map(([type, version]) => ({ process: 1, type, key: 'x', version })))
          .counts,
      )
    expect(kinds(['write', 2], ['read', 1])).toEqual(['read your writes'])
    expect(kinds(['read', 2], ['read', 1])).toEqual(['monotonic reads'])
    expect(kinds(['write', 2], ['write', 1])).toEqual(['monotonic writes'])
    expect(kinds(['read', 2], ['write', 2])).toEqual(['writes follow reads'])
  })
})

describe('causal consistency', () => {
  const steps = fc
    .array(
      fc.record({
        process: fc.constantFrom('p', 'q', 'r'),
        type: fc.constantFrom('read' as const, 'write' as const),
        key: fc.constantFrom('x', 'y'),
        value: fc.constantFrom(null, 1, 2, 3),
      }),
      { maxLength: 7 },
    )
    .map((drawn) => {
      // Every written value is new: the number of the write.
      let writes = 0
      return drawn.map((one): CausalStep => {
        if (one.type === 'write') writes += 1
        return one.type === 'write' ? { ...one, value: writes } : one
      })
    })

  /** The definition: the transitive closure of program order and reads-from, step by step. */
  function wrong(history: readonly CausalStep[]): boolean {
    const writes = (from: CausalStep, to: CausalStep) =>
      from.type === 'write' && to.type === 'read' && from.key === to.key && from.value === to.value
    const before = history.map((from, i) =>
      history.map((to, j) => (from.process === to.process && i < j) || writes(from, to)),
    )
    const is = (i: number, j: number) => before[i]?.[j] === true
    history.forEach((_, k) => {
      history.forEach((_, i) => {
        history.forEach((_, j) => {
          const row = before[i]
          if (row !== undefined && is(i, k) && is(k, j)) row[j] = true
        })
      })
    })
    if (history.some((_, i) => is(i, i))) return true
    return history.some((read, r) => {
      if (read.type !== 'read') return false
      const writer = history.findIndex((from) => writes(from, read))
      if (read.value !== null && writer < 0) return true
      return history.some(
        (other, w) =>
          other.type === 'write' &&
          other.key === read.key &&
          w !== writer &&
          is(w, r) &&
          (read.value === null || is(writer, w)),
      )
    })
  }

  it('agrees with the definition', () => compared(steps, checkCausal, wrong))

  it('sees an effect without its cause', () => {
    const history: CausalStep[] = [
      { process: 'p', type: 'write', key: 'x', value: 1 },
      { process: 'q', type: 'read', key: 'x', value: 1 },
      { process: 'q', type: 'write', key: 'y', value: 2 },
      { process: 'r', type: 'read', key: 'y', value: 2 },
      { process: 'r', type: 'read', key: 'x', value: null },
    ]
    expect(checkCausal(history).counts).toEqual({ unwritten: 1 })
    expect(checkCausal(history.slice(0, 4)).verdict).toBe('ok')
  })

  it('refuses a value written twice', () => {
    const write: CausalStep = { process: 'p', type: 'write', key: 'x', value: 1 }
    expect(() => checkCausal([write, write])).toThrow(RangeError)
  })
})

describe('convergence', () => {
  it('replicas that differ, lost updates, and values from nowhere', () => {
    const replicas = (a: number[], b: number[]) => [
      { name: 'a', holds: a },
      { name: 'b', holds: b },
    ]
    expect(checkConvergence(replicas([1, 2], [2, 1]), { acknowledged: [1] }).verdict).toBe('ok')
    expect(checkConvergence(replicas([1, 2], [1])).counts).toEqual({ diverged: 1 })
    expect(checkConvergence(replicas([1], [1]), { acknowledged: [2] }).counts).toEqual({ lost: 2 })
    expect(checkConvergence(replicas([1], [1]), { attempted: [2] }).counts).toEqual({ phantom: 2 })
  })
})

describe('negative controls', () => {
  it('a judge that overlooks one kind disagrees with the definition', () => {
    const blind = (history: readonly SessionStep[]) =>
      checkSession(history.filter(({ type }) => type === 'read'))
    const steps = fc.array(
      fc.record({
        process: fc.constant(1),
        type: fc.constantFrom('read' as const, 'write' as const),
        key: fc.constant('x'),
        version: fc.integer({ min: 1, max: 3 }),
      }),
      { maxLength: 4 },
    )
    expect(() =>
      compared(steps, blind, (history) =>
        history.some((a, i) => history.slice(i + 1).some((b) => b.version < a.version)),
      ),
    ).toThrow()
  })
})
