/**
 * Many values by key: get, put, and append to text. Each key is judged alone. The text carries its hash,
 * so that a long list of appends costs each only its own length.
 */
import type { Model } from '../linearizability/model.ts'
import { hashText, shown } from './value.ts'

export type KeyValueInput =
  | { readonly type: 'get'; readonly key: string }
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'append'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string }

export interface KeyValueState {
  readonly value: string | null
  readonly hash: number
}

/** Of a get, the value, null if there is none. Of the others, anything. */
export type KeyValueOutput = string | null

/** @param unset what a key holds that was never put: null, or '' where the store knows no difference. */
export function keyValue(
  unset: string | null = null,
): Model<KeyValueState, KeyValueInput, KeyValueOutput> {
  const absent: KeyValueState = { value: unset, hash: hashText(unset ?? '') }
  return {
    name: 'key-value',
    initial: absent,
    step(state, input, output) {
      if (input.type === 'get') {
        return output === undefined || output === state.value ? state : undefined
      }
      if (input.type === 'delete') return absent
      if (input.type === 'put') return { value: input.value, hash: hashText(input.value) }
      const value = (state.value ?? '') + input.value
      return { value, hash: hashText(input.value, state.hash) }
    },
    reads: (input) => input.type === 'get',
    overwrites: (input) => input.type === 'put' || input.type === 'delete',
    equal: (one, other) => one.hash === other.hash && one.value === other.value,
    hash: (state) => state.hash,
    partition: (input) => input.key,
    describe(input, output) {
      if (input.type === 'get') return `get → ${shown(output)}`
      if (input.type === 'delete') return 'delete'
      return `${input.type} ${shown(input.value)}`
    },
  }
}
