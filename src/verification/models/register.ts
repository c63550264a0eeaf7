/**
 * One value that can be read and written; and, in the second model, changed only if it is what the
 * caller expects. The plainest thing a store can promise, and where most stores are caught.
 */
import type { Value } from '../history.ts'
import type { Model } from '../linearizability/model.ts'
import { hashValue, shown } from './value.ts'

export type RegisterInput =
  | { readonly type: 'read' }
  | { readonly type: 'write'; readonly value: Value }

export type CasRegisterInput =
  | RegisterInput
  | { readonly type: 'cas'; readonly from: Value; readonly to: Value }

/**
 * Of a read, the value; null is the register that was never written. Of a cas, whether it swapped:
 * `false` says that the value was another. Of a write, anything.
 */
export type RegisterOutput = Value

export function register(initial: Value = null): Model<Value, RegisterInput, RegisterOutput> {
  return casRegister(initial, 'register')
}

export function casRegister(
  initial: Value = null,
  name = 'cas-register',
): Model<Value, CasRegisterInput, RegisterOutput> {
  return {
    name,
    initial,
    step(state, input, output) {
      if (input.type === 'write') return input.value
      if (input.type === 'read') {
        return output === undefined || Object.is(output, state) ? state : undefined
      }
      const swapped = Object.is(input.from, state)
      if (output !== undefined && output !== swapped) return undefined
      return swapped ? input.to : state
    },
    reads: (input, output) => input.type === 'read' || (input.type === 'cas' && output === false),
    overwrites: (input) => input.type === 'write',
    equal: Object.is,
    hash: hashValue,
    describe(input, output) {
      if (input.type === 'write') return `write ${shown(input.value)}`
      if (input.type === 'read') return `read → ${shown(output)}`
      return `cas ${shown(input.from)} to ${shown(input.to)} → ${shown(output)}`
    },
  }
}
