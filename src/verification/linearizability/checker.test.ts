import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { History, Operation } from '../history.ts'
import { counter } from '../models/counter.ts'
import { fencedLock } from '../models/fenced-lock.ts'
import { keyValue } from '../models/key-value.ts'
import { queue } from '../models/queue.ts'
import { type CasRegisterInput, casRegister, type RegisterOutput } from '../models/register.ts'
import { set, setByElement } from '../models/set.ts'
import { stack } from '../models/stack.ts'
import { checkLinearizability } from './checker.ts'
import { counterexample } from './counterexample.ts'
import { type Model, type NondeterministicModel, stateSets } from './model.ts'
import { linearizableByDefinition } from './oracle.sim.ts'

type Call<Input, Output> = readonly [input: Input, output: Output | undefined]

const one = fc.constantFrom
const value = one(1, 2)
const answer = <T>(...values: T[]): fc.Arbitrary<T | undefined> =>
  one<T | undefined>(...values, undefined)

/** Overlapping operations whose answers are drawn blindly: some histories are right, most are wrong. */
function histories<Input, Output>(
  call: fc.Arbitrary<Call<Input, Output>>,
): fc.Arbitrary<History<Input, Output>> {
  const operation = fc
    .tuple(call, fc.nat(12), one(0, 1, 2, 4, 9, Number.POSITIVE_INFINITY))
    .map(([[input, output], calledAt, lasts]): Operation<Input, Output> => {
      const returnedAt = calledAt + lasts
      const known = output === undefined || lasts === Number.POSITIVE_INFINITY ? {} : { output }
      return { process: 0, input, ...known, calledAt, returnedAt }
    })
  return fc.array(operation, { maxLength: 6 })
}

/** The search and the definition agree, and both verdicts were met. */
function agrees<State, Input, Output>(
  model: Model<State, Input, Output>,
  call: fc.Arbitrary<Call<Input, Output>>,
): void {
  const met = { ok: 0, violation: 0, unknown: 0 }
  fc.assert(
    fc.property(histories(call), (history) => {
      const { verdict } = checkLinearizability(history, model)
      met[verdict] += 1
      const parts = new Set(history.map(({ input }) => model.partition?.(input) ?? ''))
      const right = [...parts].every((part) =>
        linearizableByDefinition(
          history.filter(({ input }) => (model.partition?.(input) ?? '') === part),
          model,
        ),
      )
      expect(verdict === 'ok').toBe(right)
    }),
    { numRuns: 1_500 },
  )
  expect(met.unknown).toBe(0)
  expect(Math.min(met.ok, met.violation)).toBeGreaterThan(100)
}

const casCalls: fc.Arbitrary<Call<CasRegisterInput, RegisterOutput>> = fc.oneof(
  fc.tuple(fc.constant({ type: 'read' } as const), answer(null, 1, 2)),
  fc.tuple(fc.record({ type: fc.constant('write' as const), value }), fc.constant(undefined)),
  fc.tuple(
    fc.record({ type: fc.constant('cas' as const), from: value, to: value }),
    answer(true, false),
  ),
)

describe('the search agrees with the definition', () => {
  it('cas-register', () => agrees(casRegister(), casCalls))

  it('key-value, by key', () => {
    const key = one('a', 'b')
    const text = one('x', 'y')
    agrees(
      keyValue(),
      fc.oneof(
        fc.tuple(
          fc.record({ type: fc.constant('get' as const), key }),
          answer(null, 'x', 'y', 'xy'),
        ),
        fc.tuple(
          fc.record({ type: one('put' as const, 'append' as const), key, value: text }),
          fc.constant(undefined),
        ),
        fc.tuple(fc.record({ type: fc.constant('delete' as const), key }), fc.constant(undefined)),
      ),
    )
  })

  it('queue', () =>
    agrees(
      queue(),
      fc.oneof(
        fc.tuple(
          fc.record({ type: fc.constant('enqueue' as const), value }),
          fc.constant(undefined),
        ),
        fc.tuple(fc.constant({ type: 'dequeue' as const }), answer(null, 1, 2)),
      ),
    ))

  it('stack', () =>
    agrees(
      stack(),
      fc.oneof(
        fc.tuple(fc.record({ type: fc.constant('push' as const), value }), fc.constant(undefined)),
        fc.tuple(fc.constant({ type: 'pop' as const }), answer(null, 1, 2)),
      ),
    ))

  const element = fc.tuple(
    fc.record({ type: one('add' as const, 'remove' as const, 'contains' as const), value }),
    answer(true, false),
  )

  it('set, with reads of all', () =>
    agrees(
      set(),
      fc.oneof(
        element,
        fc.tuple(fc.constant({ type: 'read' as const }), answer([], [1], [2], [2, 1])),
      ),
    ))

  it('set, by element', () => agrees(setByElement(), element))

  it('counter', () =>
    agrees(
      counter(),
      fc.oneof(
        fc.tuple(
          fc.record({ type: fc.constant('add' as const), amount: one(1n, -1n, 2n) }),
          answer(null, 1n, 2n),
        ),
        fc.tuple(fc.constant({ type: 'read' as const }), answer(0n, 1n, 2n)),
      ),
    ))

  const token = one(1n, 2n, 3n)
  const lockCalls = fc.oneof(
    fc.tuple(fc.constant({ type: 'acquire' as const }), answer(null, 1n, 2n, 3n)),
    fc.tuple(
      fc.record({ type: one('release' as const, 'write' as const), token }),
      answer(true, false),
    ),
  )

  it('fenced lock whose leases run out', () => agrees(fencedLock(), lockCalls))
  it('fenced lock held until released', () => agrees(fencedLock({ expires: false }), lockCalls))

  it('a model of several possible states', () => {
    // A register that may lose any write: each leaves the new value or the old one.
    const forgetful: NondeterministicModel<number, 'read' | number, number> = {
      name: 'forgetful register',
      initial: [0],
      step: (state, input, output) =>
        input !== 'read' ? [state, input] : output === undefined || output === state ? [state] : [],
      equal: Object.is,
      hash: (state) => state,
    }
    agrees(
      stateSets(forgetful),
      fc.oneof(
        fc.tuple(one(1, 2), fc.constant(undefined)),
        fc.tuple(fc.constant('read' as const), answer(0, 1, 2)),
      ),
    )
  })
})

const read = (output: number | null, calledAt: number, returnedAt: number) => ({
  process: 1,
  input: { type: 'read' as const },
  output,
  calledAt,
  returnedAt,
})
const write = (written: number, calledAt: number, returnedAt: number) => ({
  process: 2,
  input: { type: 'write' as const, value: written },
  calledAt,
  returnedAt,
})

describe('intervals', () => {
  it('are closed: a read called as the write returns may come before it', () => {
    expect(checkLinearizability([write(1, 0, 5), read(null, 5, 6)], casRegister()).verdict).toBe(
      'ok',
    )
    const later = [write(1, 0, 5), read(null, 5.001, 6)]
    expect(checkLinearizability(later, casRegister()).verdict).toBe('violation')
  })

  it('an open write may take effect late, or never, but not before its call', () => {
    const open = write(1, 10, Number.POSITIVE_INFINITY)
    const check = (...reads: Operation<CasRegisterInput, RegisterOutput>[]) =>
      checkLinearizability([open, ...reads], casRegister()).verdict
    expect(check(read(null, 11, 12), read(1, 90, 91))).toBe('ok')
    expect(check(read(null, 90, 91))).toBe('ok')
    expect(check(read(1, 1, 2))).toBe('violation')
    expect(check(read(1, 20, 21), read(null, 22, 23))).toBe('violation')
  })

  it('that end before they begin are refused', () => {
    expect(() => checkLinearizability([write(1, 5, 4)], casRegister())).toThrow(RangeError)
    expect(() => checkLinearizability([write(1, Number.NaN, 4)], casRegister())).toThrow(RangeError)
  })
})

describe('verdicts that cannot be reached', () => {
  /** Writes that all overlap, and a read of what nobody wrote: every order must be tried. */
  const hard = (
    key: string,
    writes: number,
  ): Operation<{ key: string; value?: number }, number>[] => [
    ...Array.from({ length: writes }, (_, index) => ({
      process: index,
      input: { key, value: index },
      calledAt: 0,
      returnedAt: 1_000,
    })),
    { process: 'reader', input: { key }, output: -1, calledAt: 0, returnedAt: 1_000 },
  ]
  const model: Model<number, { key: string; value?: number }, number> = {
    name: 'sum of powers',
    initial: 0,
    step: (state, { value }, output) =>
      value === undefined
        ? output === undefined || output === state
          ? state
          : undefined
        : (Math.imul(state, 31) + value + 1) | 0,
    equal: Object.is,
    hash: (state) => state,
    partition: ({ key }) => key,
  }

  it('end by steps, the same way each time', () => {
    const first = checkLinearizability(hard('a', 30), model, { stepsMax: 100_000 })
    expect(first).toMatchObject({ verdict: 'unknown', spent: 'steps', undecided: ['a'] })
    expect(checkLinearizability(hard('a', 30), model, { stepsMax: 100_000 })).toEqual(first)
  })

  it('end by time', () => {
    let now = 0
    const report = checkLinearizability(hard('a', 30), model, { nowMs: () => now++, timeoutMs: 5 })
    expect(report).toMatchObject({ verdict: 'unknown', spent: 'time' })
  })

  it('end by memory, and only for the part that took it', () => {
    const easy = { process: 9, input: { key: 'b', value: 7 }, calledAt: 0, returnedAt: 1 }
    const report = checkLinearizability([...hard('a', 30), easy], model, { memoryMax: 5_000 })
    expect(report).toMatchObject({ verdict: 'unknown', spent: 'memory', undecided: ['a'] })
  })

  it('do not hide the violation of another key', () => {
    const wrong = [
      { process: 1, input: { key: 'z', value: 1 }, calledAt: 0, returnedAt: 1 },
      { process: 1, input: { key: 'z' }, output: 0, calledAt: 2, returnedAt: 3 },
    ]
    const report = checkLinearizability([...hard('a', 30), ...wrong], model, { stepsMax: 1e6 })
    expect(report.verdict).toBe('violation')
    expect(report.evidence?.partition).toBe('z')
    expect(report.steps).toBeLessThan(5_000)
  })
})

describe('evidence', () => {
  it('is the longest order, and what cannot follow it', () => {
    const history = [write(1, 0, 1), write(2, 2, 3), read(2, 4, 5), read(1, 6, 7), read(1, 8, 9)]
    const { evidence } = checkLinearizability(history, casRegister())
    expect(evidence).toEqual({ prefix: [0, 1, 2], stuck: [3] })
  })

  it('made small: the reason, without the noise around it', () => {
    const noise = Array.from({ length: 200 }, (_, at) => write(at, at * 10, at * 10 + 4))
    const stale = [write(-1, 1_001, 1_002), write(-2, 1_003, 1_004), read(-1, 1_005, 1_006)]
    const history = [...noise, ...stale].sort((a, b) => a.calledAt - b.calledAt)
    const kept = counterexample(history, casRegister()).map((place) => history[place])
    expect(kept).toEqual(stale)
  })

  it('made small: what is left is wrong, whatever the others did', () => {
    fc.assert(
      fc.property(histories(casCalls), (history) => {
        const kept = counterexample(history, casRegister())
        const { verdict } = checkLinearizability(history, casRegister())
        expect(kept.length > 0).toBe(verdict === 'violation')
        if (kept.length === 0) return
        const excused = history.flatMap((operation, place) => {
          const { process, input, output, calledAt } = operation
          if (kept.includes(place)) return [operation]
          // What is known to have changed nothing says nothing once it is excused.
          if (casRegister().reads?.(input, output)) return []
          return [{ process, input, calledAt, returnedAt: Number.POSITIVE_INFINITY }]
        })
        expect(linearizableByDefinition(excused, casRegister())).toBe(false)
      }),
      { numRuns: 400 },
    )
  })
})

describe('negative controls', () => {
  it('a model that calls a compare-and-set an overwrite is found out by the definition', () => {
    const broken = { ...casRegister(), overwrites: () => true }
    expect(() => agrees(broken, casCalls)).toThrow()
  })

  it('a model that calls a write a read is found out by the definition', () => {
    const broken = { ...casRegister(), reads: () => true }
    expect(() => agrees(broken, casCalls)).toThrow()
  })

  it('a model whose states are all equal is found out by the definition', () => {
    const broken = { ...casRegister(), equal: () => true, hash: () => 0 }
    expect(() => agrees(broken, casCalls)).toThrow()
  })
})
