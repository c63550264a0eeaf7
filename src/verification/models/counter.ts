/** A number to which amounts are added. The answer of an add may be its result, if the store says it. */
import type { Model } from '../linearizability/model.ts'
import { hashValue, shown } from './value.ts'

export type CounterInput =
  | { readonly type: 'add'; readonly amount: bigint }
  | { readonly type: 'read' }

/** Of a read, the number; of an add, the number after it, or null where the store does not say. */
export type CounterOutput = bigint | null

export function counter(initial = 0n): Model<bigint, CounterInput, CounterOutput> {
  return {
    name: 'counter',
    initial,
    step(state, input, output) {
      const after = input.type === 'add' ? state + input.amount : state
      return output === undefined || output === null || output === after ? after : undefined
    },
    reads: (input) => input.type === 'read' || input.amount === 0n,
    equal: (one, other) => one === other,
    hash: (state) =>
      state > -2_147_483_648n && state < 2_147_483_648n
        ? hashValue(Number(state))
        : hashValue(state),
    describe: (input, output) =>
      input.type === 'read'
        ? `read → ${shown(output)}`
        : `add ${input.amount}${typeof output === 'bigint' ? ` → ${output}` : ''}`,
  }
}
