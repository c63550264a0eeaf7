/**
 * A model says what one copy of the object would do if operations came one at a time. The judge looks for
 * an order of the recorded operations, true to real time, that the model could have produced. States are
 * immutable values: the search keeps many of them and goes back.
 */

import type { History } from '../history.ts'

/** `State` may be any value but `undefined`. */
export interface Model<State, Input, Output> {
  readonly name: string
  readonly initial: State
  /**
   * The state after the operation, or `undefined` if in this state it could not have given this output.
   * An absent output is unknown: any that the state allows is right.
   */
  step(state: State, input: Input, output: Output | undefined): State | undefined
  equal(one: State, other: State): boolean
  /** 32 bits. Equal states have equal hashes. */
  hash(state: State): number
  /**
   * Does this operation leave every state in which it is possible as it was? Such an operation is placed as
   * early as it fits and never again elsewhere, which loses nothing and saves most of the search.
   */
  reads?(input: Input, output: Output | undefined): boolean
  /**
   * Is this possible in every state, and leaves the same state whatever was before? Then no open operation
   * need come directly before it, which spares the search most of what many open writes could do.
   */
  overwrites?(input: Input): boolean
  /**
   * The part of the object that the operation touches. Parts share no state, so each is judged alone
   * (linearizability is local: Herlihy and Wing, 1990). Absent: all is one part.
   */
  partition?(input: Input): string
  /**
   * A way to a verdict without a search, for objects that have one. It is given one part.
   *
   * @returns places of operations that cannot be right together, whatever the others did; none: an order exists;
   * `undefined`: this way cannot tell.
   */
  conflict?(operations: History<Input, Output>): readonly number[] | undefined
  /** For people. */
  describe?(input: Input, output: Output | undefined): string
}

/** Like a `Model`, but chance or hidden events leave several states possible: none means refused. */
export interface NondeterministicModel<State, Input, Output>
  extends Omit<
    Model<State, Input, Output>,
    'step' | 'reads' | 'overwrites' | 'conflict' | 'initial'
  > {
  readonly initial: readonly State[]
  step(state: State, input: Input, output: Output | undefined): readonly State[]
}

/**
 * The deterministic model whose state is the set of all states in which the object might be. No state is
 * in it twice. Costs one step of the inner model for each possible state.
 */
export function stateSets<State, Input, Output>(
  model: NondeterministicModel<State, Input, Output>,
): Model<readonly State[], Input, Output> {
  const has = (states: readonly State[], state: State): boolean =>
    states.some((other) => model.equal(other, state))
  const distinct = (states: readonly State[]): State[] => {
    const kept: State[] = []
    for (const state of states) if (!has(kept, state)) kept.push(state)
    return kept
  }
  return {
    name: model.name,
    initial: distinct(model.initial),
    step(states, input, output) {
      const after = distinct(states.flatMap((state) => model.step(state, input, output)))
      return after.length === 0 ? undefined : after
    },
    equal: (one, other) => one.length === other.length && one.every((state) => has(other, state)),
    // A sum, because the set has no order.
    hash: (states) => states.reduce((sum, state) => (sum + mixed(model.hash(state))) | 0, 0),
    ...(model.partition === undefined ? {} : { partition: model.partition }),
    ...(model.describe === undefined ? {} : { describe: model.describe }),
  }
}

/** Spreads 32 bits, so that near numbers have far hashes (the finalizer of MurmurHash3). */
export function mixed(value: number): number {
  let bits = value | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}
