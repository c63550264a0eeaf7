/** A set: add, remove, ask for one value, read all. Without reads of all, each value is judged alone. */
import type { Value } from '../history.ts'
import type { Model } from '../linearizability/model.ts'
import { type PersistentSet, sameSet, setHas, setWith, setWithout } from './persistent-set.ts'
import { shown } from './value.ts'

export type ElementInput = {
  readonly type: 'add' | 'remove' | 'contains'
  readonly value: Value
}

export type SetInput = ElementInput | { readonly type: 'read' }

/**
 * Of `contains`, yes or no; of `add` and `remove`, whether the set changed, or anything else where the store
 * does not say; of `read`, all values in any order.
 */
export type SetOutput = boolean | null | readonly Value[]

export function set(): Model<PersistentSet, SetInput, SetOutput> {
  return {
    name: 'set',
    initial: null,
    step(state, input, output) {
      if (input.type === 'read') {
        return !Array.isArray(output) || sameSet(state, setOf(output)) ? state : undefined
      }
      const has = setHas(state, input.value)
      if (input.type === 'contains') {
        return typeof output !== 'boolean' || output === has ? state : undefined
      }
      const changes = has === (input.type === 'remove')
      if (typeof output === 'boolean' && output !== changes) return undefined
      if (!changes) return state
      return input.type === 'add' ? setWith(state, input.value) : setWithout(state, input.value)
    },
    reads: (input, output) =>
      input.type === 'read' || input.type === 'contains' || output === false,
    equal: sameSet,
    hash: (state) => state?.hash ?? 0,
    describe(input, output) {
      if (input.type === 'read') {
        return `read → ${Array.isArray(output) ? `{${output.map(shown).join(' ')}}` : '?'}`
      }
      const answer = typeof output === 'boolean' ? ` → ${output}` : ''
      return `${input.type} ${shown(input.value)}${answer}`
    },
  }
}

/** Faster by far where nobody reads all: each value is a part of its own. */
export function setByElement(): Model<PersistentSet, ElementInput, SetOutput> {
  const { describe, reads, ...model } = set()
  return {
    ...model,
    reads: (input, output) => reads?.(input, output) ?? false,
    partition: (input) => `${typeof input.value}:${input.value}`,
    describe: (input, output) => describe?.(input, output) ?? input.type,
  }
}

function setOf(values: readonly Value[]): PersistentSet {
  let all: PersistentSet = null
  for (const value of values) all = setWith(all, value)
  return all
}
