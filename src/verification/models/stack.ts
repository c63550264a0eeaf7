/** Last in, first out. Each state is a link to the one below it, with the hash of all. */
import { stackConflict } from '../containers/stack-conflict.ts'
import type { History, Value } from '../history.ts'
import type { Model } from '../linearizability/model.ts'
import { hashValue, shown } from './value.ts'

export type StackInput = { readonly type: 'push'; readonly value: Value } | { readonly type: 'pop' }

/** Of a pop, the value, or null: the stack was empty. Of a push, anything. */
export type StackOutput = Value

export interface StackState {
  readonly value: Value
  /** Absent: this is the bottom, which holds nothing. */
  readonly below?: StackState
  readonly size: number
  readonly hash: number
}

/** Never null as an element: null is the answer of the empty stack. */
export function stack(): Model<StackState, StackInput, StackOutput> {
  return {
    name: 'stack',
    initial: { value: null, size: 0, hash: 0 },
    step(state, input, output) {
      if (input.type === 'push') {
        const hash = (Math.imul(state.hash, 31) + hashValue(input.value)) | 0
        return { value: input.value, below: state, size: state.size + 1, hash }
      }
      if (output !== undefined && !Object.is(output, state.value)) return undefined
      return state.below ?? state
    },
    reads: (input, output) => input.type === 'pop' && output === null,
    conflict: (operations: History<StackInput, StackOutput>) =>
      stackConflict(operations, (input) => (input.type === 'push' ? { put: input.value } : 'take')),
    equal: sameStack,
    hash: (state) => state.hash ^ state.size,
    describe: (input, output) =>
      input.type === 'push' ? `push ${shown(input.value)}` : `pop → ${shown(output)}`,
  }
}

function sameStack(one: StackState, other: StackState): boolean {
  let left: StackState | undefined = one
  let right: StackState | undefined = other
  while (left !== right) {
    if (left === undefined || right === undefined) return false
    if (left.size !== right.size || left.hash !== right.hash) return false
    if (!Object.is(left.value, right.value)) return false
    left = left.below
    right = right.below
  }
  return true
}
