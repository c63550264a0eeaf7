/**
 * A small model checker for pure code. Where the simulator draws some of the things that can happen, this
 * tries all of them: from a first state it takes every action that is possible, from each state so reached
 * again every action, until nothing new turns up or a bound is met. The world must be small (three members,
 * two ballots, one lost message); in return, what holds holds in every order of events there is.
 *
 * Breadth first, so the path to a violation is as short as any. A state is known by its key alone: two
 * states with one key are taken for the same, and so are, by accident, two keys with one 64-bit hash. The
 * chance that any state of n was missed that way is below n² / 2^65: 3 in 10^8 for a million states.
 *
 * Not checked: that something good happens in the end. `mayEnd` finds states from which nothing happens at
 * all; endless circles go unseen.
 */
import { InvalidArgumentError } from '../errors.ts'
import { stateSet } from './explore-set.ts'

export interface Exploration<State> {
  readonly initial: State
  /** All that can happen next. States are never changed in place: `next` makes a new one. */
  actions(state: State): Iterable<Action<State>>
  /** Must hold in every state; a sentence says what does not. */
  invariant(state: State): true | string
  /** Must hold of every step, such as that nothing goes back. */
  transition?(before: State, after: State, name: string): true | string
  /**
   * Same text, same future. Leave out what changes nothing later, and let states that differ only in
   * names share a key: see `leastKey`.
   */
  key(state: State): string
  /** If given, a state without actions is a violation unless this says that it may be the end. */
  mayEnd?(state: State): boolean
  /** Stops, not complete, when so many states are known: 1 to 100_000_000. Default 1_000_000. */
  readonly statesMax?: number
  /** Looks no further than so many actions: 0 to 1_000_000. Default 1_000_000. */
  readonly depthMax?: number
  /** Told after every 10_000 states; answer `'stop'` to end it, not complete. */
  progress?(far: ExplorationProgress): 'stop' | undefined
}

export interface Action<State> {
  /** For the path to a violation: what happened, and to whom. */
  readonly name: string
  /**
   * If it throws, that is a violation, too: assertions in the code on trial count. The same state again
   * (the very object) says cheaply that nothing changed.
   */
  next(): State
}

export interface ExplorationProgress {
  /** Different states seen. */
  readonly states: number
  /** Actions tried. */
  readonly transitions: number
  /** Of the states being looked at now: actions from the first state. */
  readonly depth: number
}

export interface ExplorationReport<State> {
  readonly states: number
  readonly transitions: number
  /** The longest of the shortest paths to a state. */
  readonly depth: number
  /** Nothing was left out: no bound was met, and no violation ended it early. */
  readonly complete: boolean
  readonly violation?: Violation<State>
}

export interface Violation<State> {
  readonly message: string
  /** The actions that lead there, from the first state. No path is shorter. */
  readonly path: readonly string[]
  /** The state that breaks the rule, or in which the action threw. */
  readonly state: State
}

const progressEvery = 10_000

/**
 * Tries everything.
 * @throws {InvalidArgumentError} a bound is out of range.
 */
export function explore<State>(exploration: Exploration<State>): ExplorationReport<State> {
  const statesMax = bound('statesMax', exploration.statesMax ?? 1_000_000, 1, 100_000_000)
  const depthMax = bound('depthMax', exploration.depthMax ?? 1_000_000, 0, 1_000_000)
  const known = stateSet()
  const names = new Map<string, number>()
  let transitions = 0
  let depth = 0
  let complete = true

  function report(violation?: Violation<State>): ExplorationReport<State> {
    const whole = complete && violation === undefined
    const seen = { states: known.size, transitions, depth, complete: whole }
    return violation === undefined ? seen : { ...seen, violation }
  }

  function violated(message: string, state: State, at: number, last?: string): Violation<State> {
    const words = [...names.keys()]
    const path = known.path(at).map((name) => words[name] ?? '')
    return { message, path: last === undefined ? path : [...path, last], state }
  }

  function numberOf(name: string): number {
    const number = names.get(name) ?? names.size
    if (number === names.size) names.set(name, number)
    return number
  }

  const holds = exploration.invariant(exploration.initial)
  known.add(exploration.key(exploration.initial), -1, 0)
  if (holds !== true) return report(violated(holds, exploration.initial, 0))

  // The states of one depth, and their places in `known`, which are in a row.
  let layer: State[] = [exploration.initial]
  let first = 0
  for (; layer.length > 0; depth++) {
    const further: State[] = []
    const firstFurther = known.size
    for (const [offset, state] of layer.entries()) {
      const at = first + offset
      let ways = 0
      for (const { name, next } of exploration.actions(state)) {
        ways++
        if (depth === depthMax) continue
        transitions++
        const taken = attempt(next)
        if ('thrown' in taken) return report(violated(taken.thrown, state, at, name))
        if (taken.after === state) continue
        const step = exploration.transition?.(state, taken.after, name) ?? true
        if (step !== true) return report(violated(step, taken.after, at, name))
        if (!known.add(exploration.key(taken.after), at, numberOf(name))) continue
        further.push(taken.after)
        const sound = exploration.invariant(taken.after)
        if (sound !== true) return report(violated(sound, taken.after, known.size - 1))
        if (known.size % progressEvery !== 0) continue
        const answer = exploration.progress?.({ states: known.size, transitions, depth })
        complete = answer !== 'stop'
        if (!complete) return report()
      }
      if (ways > 0 && depth === depthMax) complete = false
      if (ways === 0 && exploration.mayEnd?.(state) === false) {
        return report(violated('nothing more can happen, and this is no end', state, at))
      }
      // Between states, so that all actions of a state are tried or none.
      if (known.size >= statesMax) {
        complete = false
        return report()
      }
    }
    if (further.length === 0) break
    layer = further
    first = firstFurther
  }
  return report()
}

function attempt<State>(
  next: () => State,
): { readonly after: State } | { readonly thrown: string } {
  try {
    return { after: next() }
  } catch (error) {
    return { thrown: String(error) }
  }
}

function bound(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw new InvalidArgumentError(
    `${name} is ${String(value)}; expected a whole number from ${min} to ${max}`,
  )
}
