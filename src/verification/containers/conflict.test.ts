import { describe, expect, it } from 'vitest'
import type { Operation, Value, Verdict } from '../history.ts'
import { checkLinearizability } from '../linearizability/checker.ts'
import type { Model } from '../linearizability/model.ts'
import { linearizableByDefinition } from '../linearizability/oracle.sim.ts'
import { queue } from '../models/queue.ts'
import { stack } from '../models/stack.ts'
import { queueConflict } from './queue-conflict.ts'
import {
  type ContainerCall,
  type ContainerShape,
  containerHistory,
  drawing,
} from './random-container.sim.ts'
import { stackConflict } from './stack-conflict.ts'

type Kind = 'queue' | 'stack'
type Container = Model<unknown, ContainerCall, Value>

/** The model itself, without the way that is on trial. */
const searched: Readonly<Record<Kind, Container>> = {
  queue: {
    ...plain(queue()),
    step: (state, input, output) =>
      queue().step(
        state as ReturnType<typeof queue>['initial'],
        input === 'take' ? { type: 'dequeue' } : { type: 'enqueue', value: input.put },
        output,
      ),
  },
  stack: {
    ...plain(stack()),
    step: (state, input, output) =>
      stack().step(
        state as ReturnType<typeof stack>['initial'],
        input === 'take' ? { type: 'pop' } : { type: 'push', value: input.put },
        output,
      ),
  },
}

function plain<State>(model: Model<State, never, Value>): Omit<Container, 'step'> {
  return {
    name: model.name,
    initial: model.initial,
    equal: (one, other) => model.equal(one as State, other as State),
    hash: (state) => model.hash(state as State),
  }
}

const conflicts = { queue: queueConflict, stack: stackConflict }

function judged(kind: Kind, history: readonly Operation<ContainerCall, Value>[]): Verdict {
  const conflict = conflicts[kind](history, (input) => input)
  if (conflict === undefined) return 'unknown'
  return conflict.length === 0 ? 'ok' : 'violation'
}

const small: Omit<ContainerShape, 'seed'> = {
  operations: 7,
  clients: 4,
  wrongPercent: 25,
  openPercent: 0,
  lastsMax: 3,
}

/** Shapes of all kinds, by seed. */
function shape(seed: number, operationsMax: number): ContainerShape {
  const draw = drawing(seed + 1_000_000)
  return {
    seed,
    operations: 2 + draw(operationsMax - 1),
    clients: 1 + draw(5),
    wrongPercent: [0, 10, 40][draw(3)] ?? 0,
    openPercent: [0, 0, 15, 40][draw(4)] ?? 0,
    lastsMax: 1 + draw(6),
  }
}

const seedsMax = 4_000

describe.each(['queue', 'stack'] as const)('a %s of different values, without a search', (kind) => {
  it('agrees with the definition on small histories', () => {
    const met = { ok: 0, violation: 0, unknown: 0 }
    for (let seed = 1; seed <= seedsMax; seed++) {
      const history = containerHistory(shape(seed, 7), kind)
      const verdict = judged(kind, history)
      met[verdict] += 1
      const right = linearizableByDefinition(history, searched[kind])
      if (verdict !== 'unknown') {
        expect(verdict, `seed ${seed}`).toBe(right ? 'ok' : 'violation')
      }
    }
    expect(Math.min(met.ok, met.violation)).toBeGreaterThan(seedsMax / 10)
    if (kind === 'queue') expect(met.unknown).toBe(0)
    expect(met.unknown).toBeLessThan(seedsMax / 20)
  })

  it('agrees with the search on longer ones, and what it names is wrong by itself', () => {
    let named = 0
    for (let seed = 1; seed <= seedsMax / 4; seed++) {
      const history = containerHistory(shape(seed, 16), kind)
      const verdict = judged(kind, history)
      const { verdict: found } = checkLinearizability(history, searched[kind], { stepsMax: 1e6 })
      if (verdict !== 'unknown' && found !== 'unknown') {
        expect(verdict, `seed ${seed}`).toBe(found)
      }
      const conflict = conflicts[kind](history, (input) => input) ?? []
      if (conflict.length === 0) continue
      named += 1
      const alone = conflict.flatMap((place) => history[place] ?? [])
      expect(new Set(conflict).size).toBe(conflict.length)
      const again = checkLinearizability(alone, searched[kind], { stepsMax: 1e6 })
      expect(again.verdict, `seed ${seed}`).not.toBe('ok')
    }
    expect(named).toBeGreaterThan(50)
  })

  it('negative control: the rule of the other kind is found out', () => {
    const other = kind === 'queue' ? 'stack' : 'queue'
    let disagreed = 0
    for (let seed = 1; seed <= 500; seed++) {
      const history = containerHistory({ ...small, seed }, kind)
      const right = linearizableByDefinition(history, searched[kind])
      if ((judged(other, history) === 'ok') !== right) disagreed += 1
    }
    expect(disagreed).toBeGreaterThan(50)
  })
})

describe('what one container of many values costs', () => {
  it.each(['queue', 'stack'] as const)('%s: 100,000 operations of sixteen clients', (kind) => {
    const model = kind === 'queue' ? queue() : stack()
    const history = containerHistory(
      { ...small, operations: 100_000, clients: 16, wrongPercent: 0, seed: 1 },
      kind,
    ).map((one) => ({ ...one, input: spoken(kind, one.input) }))
    const options = { stepsMax: 200_000 }
    expect(
      checkLinearizability(history, model as Model<unknown, unknown, Value>, options).verdict,
    ).toBe('ok')
  })
})

describe('histories made to exhaust the judge', () => {
  const many = 20_000
  const each = <T>(make: (index: number) => T): T[] =>
    Array.from({ length: many }, (_, at) => make(at))
  const put = (value: number) => ({
    ...{ process: 1, input: { put: value } as ContainerCall, calledAt: value },
    returnedAt: value + 0.5,
  })
  const take = (output?: Value) => ({
    ...{ process: 2, input: 'take' as ContainerCall, calledAt: 1 },
    ...(output === undefined ? { returnedAt: Infinity } : { output, returnedAt: many }),
  })
  const places = (kind: Kind, history: readonly Operation<ContainerCall, Value>[]) =>
    conflicts[kind](history, (input) => input)?.length

  it.each(['queue', 'stack'] as const)('%s: one value taken over and over', (kind) => {
    expect(places(kind, [put(0), ...each(() => take(0))])).toBe(3)
  })

  it.each(['queue', 'stack'] as const)('%s: all puts, then all that never end', (kind) => {
    expect(places(kind, [...each(put), ...each(() => take())])).toBe(0)
  })

  it('queue: many open takes, and many answers that it was empty', () => {
    const open = each((at) => ({ ...take(), calledAt: at }))
    const empty = each((at) => ({ ...take(null), calledAt: at, returnedAt: many }))
    expect(places('queue', [...each((at) => put(at / 2)), ...open, ...empty])).toBe(0)
    const never = each((at) => ({ ...take(null), calledAt: at + many, returnedAt: 2 * many }))
    expect(places('queue', [put(-1), put(-2), ...open.slice(0, 1), ...never])).toBeGreaterThan(0)
  })

  it('stack: nested as deep as it is long', () => {
    const pops = each((at) => ({
      ...take(many - 1 - at),
      calledAt: many + at,
      returnedAt: many + at,
    }))
    expect(places('stack', [...each(put), ...pops])).toBe(0)
    expect(places('queue', [...each(put), ...pops])).toBe(4)
  })
})

describe('evidence', () => {
  it('names the operations, and how far one gets with them', () => {
    const input = (value: number) => ({ type: 'enqueue' as const, value })
    const take = { type: 'dequeue' as const }
    const history = [
      { process: 1, input: input(1), calledAt: 0, returnedAt: 1 },
      { process: 1, input: input(2), calledAt: 2, returnedAt: 3 },
      { process: 1, input: input(3), calledAt: 4, returnedAt: 5 },
      { process: 2, input: take, output: 1, calledAt: 6, returnedAt: 7 },
      { process: 2, input: take, output: 3, calledAt: 8, returnedAt: 9 },
    ]
    const report = checkLinearizability(history, queue())
    expect(report).toMatchObject({
      verdict: 'violation',
      evidence: { reason: [1, 2, 4], prefix: [1, 2], stuck: [4] },
    })
  })

  it('between one stay and the next that touches it, the container may be empty', () => {
    const put = (value: number) => ({ type: 'push' as const, value })
    const take = { type: 'pop' as const }
    const history = [
      { process: 1, input: put(1), calledAt: 0, returnedAt: 1 },
      { process: 1, input: take, output: 1, calledAt: 5, returnedAt: 9 },
      { process: 2, input: put(2), calledAt: 2, returnedAt: 5 },
      { process: 2, input: take, output: 2, calledAt: 8, returnedAt: 9 },
      { process: 3, input: take, output: null, calledAt: 4, returnedAt: 6 },
    ]
    expect(checkLinearizability(history, stack()).verdict).toBe('ok')
    const later = history.map((one, place) => (place === 1 ? { ...one, calledAt: 6 } : one))
    const { verdict, evidence } = checkLinearizability(later, stack())
    expect([verdict, evidence?.reason]).toEqual(['violation', [0, 1, 2, 3, 4]])
  })

  it('values that come twice are left to the search', () => {
    const same = [0, 2].map((calledAt) => ({
      process: 1,
      input: { type: 'push' as const, value: 7 },
      calledAt,
      returnedAt: calledAt + 1,
    }))
    expect(stack().conflict?.(same)).toBeUndefined()
    expect(checkLinearizability(same, stack()).verdict).toBe('ok')
  })

  it('times that are no times are refused, as ever', () => {
    const wrong = { process: 1, input: { type: 'pop' as const }, calledAt: 3, returnedAt: 2 }
    expect(() => checkLinearizability([wrong], stack())).toThrow(RangeError)
  })
})

function spoken(kind: Kind, input: ContainerCall): unknown {
  if (kind === 'queue') {
    return input === 'take' ? { type: 'dequeue' } : { type: 'enqueue', value: input.put }
  }
  return input === 'take' ? { type: 'pop' } : { type: 'push', value: input.put }
}
