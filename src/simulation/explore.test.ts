/**
 * Two processes and one door: mutual exclusion by Peterson's algorithm, explored whole, and three ways to
 * get it wrong, each found with its shortest path.
 */
import { describe, expect, it } from 'vitest'
import { type Exploration, explore } from './explore.ts'
import { stateSet } from './explore-set.ts'
import { leastKey, permutations } from './explore-symmetry.ts'

interface Door {
  /** Where each process stands: 0 outside, 1 wants (flag up), 2 has given way, 3 inside. */
  readonly at: readonly [number, number]
  readonly turn: 0 | 1
}

type Bug = 'none' | 'no turn' | 'turn before flag' | 'enters on either'

function peterson(bug: Bug): Exploration<Door> {
  return {
    initial: { at: [0, 0], turn: 0 },
    key: JSON.stringify,
    invariant: ({ at }) => (at[0] === 3 && at[1] === 3 ? 'both are inside' : true),
    *actions(state) {
      for (const me of [0, 1] as const) {
        const other = me === 0 ? 1 : 0
        const moved = (to: number, turn: 0 | 1 = state.turn): Door => ({
          at: me === 0 ? [to, state.at[1]] : [state.at[0], to],
          turn,
        })
        const mine = state.at[me]
        // With the order of flag and turn swapped, the flag is up only from 2 on.
        const flagFrom = bug === 'turn before flag' ? 2 : 1
        const free = state.at[other] < flagFrom
        const first = bug === 'turn before flag' ? moved(1, other) : moved(1)
        if (mine === 0) yield { name: `${me} asks`, next: () => first }
        if (mine === 1) {
          const gives = bug === 'turn before flag' || bug === 'no turn' ? moved(2) : moved(2, other)
          yield { name: `${me} gives way`, next: () => gives }
        }
        const may = bug === 'no turn' ? free : free || state.turn === me
        const wrong = bug === 'enters on either' && state.turn === other
        if (mine === 2 && (may || wrong)) yield { name: `${me} enters`, next: () => moved(3) }
        if (mine === 3) yield { name: `${me} leaves`, next: () => moved(0) }
      }
    },
  }
}

describe('explore', () => {
  it('goes through all of a small world, and says that nothing was left out', () => {
    const report = explore({ ...peterson('none'), mayEnd: () => false })
    expect(report.violation).toBeUndefined()
    expect(report.complete).toBe(true)
    // 4 × 4 places × 2 turns, without those that Peterson's order rules out.
    expect(report.states).toBe(reachedByDefinition(peterson('none')))
  })

  it('negative control: a broken mutex is found, by the shortest path', () => {
    const late = explore(peterson('turn before flag'))
    expect(late.violation?.message).toBe('both are inside')
    expect(late.violation?.path).toHaveLength(6)
    expect(late.complete).toBe(false)
    const either = explore(peterson('enters on either'))
    expect(either.violation?.path).toHaveLength(6)
  })

  it('the path leads to the state it comes with', () => {
    const model = peterson('turn before flag')
    const { violation } = explore(model)
    let state = model.initial
    for (const name of violation?.path ?? []) {
      const action = [...model.actions(state)].find((one) => one.name === name)
      expect(action, name).toBeDefined()
      state = action?.next() ?? state
    }
    expect(state).toEqual(violation?.state)
  })

  it('a state where nothing can happen is a violation, unless it may be the end', () => {
    const stuck = explore({ ...peterson('no turn'), mayEnd: () => false })
    expect(stuck.violation?.message).toContain('nothing more can happen')
    expect(stuck.violation?.state.at).toEqual([2, 2])
    expect(explore(peterson('no turn')).violation).toBeUndefined()
    const allowed = explore({ ...peterson('no turn'), mayEnd: ({ at }) => at[0] === 2 })
    expect(allowed.violation).toBeUndefined()
  })

  const counter = (limit: number): Exploration<number> => ({
    initial: 0,
    key: String,
    invariant: () => true,
    *actions(n) {
      if (n < limit) yield { name: 'up', next: () => n + 1 }
    },
  })

  it('bounds are kept and said', () => {
    expect(explore(counter(100))).toEqual({
      ...{ states: 101, transitions: 100, depth: 100, complete: true },
    })
    expect(explore({ ...counter(100), depthMax: 10 })).toEqual({
      ...{ states: 11, transitions: 10, depth: 10, complete: false },
    })
    expect(explore({ ...counter(100), depthMax: 100 }).complete).toBe(true)
    expect(explore({ ...counter(100), statesMax: 50 })).toMatchObject({
      ...{ states: 50, complete: false },
    })
    expect(() => explore({ ...counter(1), statesMax: 0 })).toThrow('statesMax is 0')
    const seen: number[] = []
    const stopped = explore({
      ...counter(100_000),
      progress({ states }) {
        seen.push(states)
        return states >= 30_000 ? 'stop' : undefined
      },
    })
    expect(seen).toEqual([10_000, 20_000, 30_000])
    expect(stopped).toMatchObject({ states: 30_000, complete: false })
  })

  it('what throws, a bad step and a bad first state are violations', () => {
    const thrown = explore<number>({
      ...counter(5),
      *actions(n) {
        yield {
          name: `up from ${n}`,
          next() {
            if (n === 3) throw new Error('too far')
            return n + 1
          },
        }
      },
    })
    expect(thrown.violation).toMatchObject({ message: 'Error: too far', state: 3 })
    expect(thrown.violation?.path).toEqual(['up from 0', 'up from 1', 'up from 2', 'up from 3'])
    const step = explore({
      ...counter(5),
      transition: (before, after) => (before === 2 ? `${before} to ${after}` : true),
    })
    expect(step.violation).toEqual({ message: '2 to 3', path: ['up', 'up', 'up'], state: 3 })
    const first = explore({ ...counter(5), invariant: () => 'no' })
    expect(first.violation).toEqual({ message: 'no', path: [], state: 0 })
  })
})

describe('the set of states', () => {
  it('tells 200,000 keys apart, and knows each again', () => {
    const known = stateSet()
    const keyOf = (n: number): string => `state ${n.toString(2)}`
    for (let n = 0; n < 200_000; n++) known.add(keyOf(n), n - 1, n % 7)
    expect(known.size).toBe(200_000)
    for (let n = 0; n < 200_000; n++) known.add(keyOf(n), 0, 0)
    expect(known.size).toBe(200_000)
    expect(known.add(keyOf(7), 0, 0)).toBe(false)
    expect(known.path(5)).toEqual([1, 2, 3, 4, 5])
  })
})

describe('symmetry', () => {
  it('three tokens that differ in name only: one of six orders is looked at', () => {
    const names = ['a', 'b', 'c']
    type Places = Readonly<Record<string, number>>
    const model: Exploration<Places> = {
      initial: { a: 0, b: 0, c: 0 },
      invariant: () => true,
      key: (places) => names.map((name) => places[name]).join(),
      *actions(places) {
        for (const name of names) {
          const place = places[name] ?? 0
          if (place === 9) continue
          yield { name: `${name} moves`, next: () => ({ ...places, [name]: place + 1 }) }
        }
      },
    }
    expect(explore(model).states).toBe(1_000)
    const key = leastKey<Places>(names, (places, swapped) =>
      names
        .map((name) => `${swapped(name)}${places[name]}`)
        .sort()
        .join(),
    )
    // Multisets of three out of ten places.
    expect(explore({ ...model, key }).states).toBe(220)
    expect(permutations([1, 2, 3, 4])).toHaveLength(24)
  })
})

/** The same, with nothing clever: keys in a plain set, depth first. */
function reachedByDefinition<State>(model: Exploration<State>): number {
  const seen = new Set<string>()
  const stack = [model.initial]
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    const key = model.key(state)
    if (seen.has(key)) continue
    seen.add(key)
    for (const { next } of model.actions(state)) stack.push(next())
  }
  return seen.size
}
