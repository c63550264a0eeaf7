/**
 * Several registers, read and written by several steps at one instant. The strongest thing that can be asked of
 * small transactions: one order for all of them, true to real time. All registers are one part, so keep
 * the keys few; for long histories of transactions see `checkIsolation`.
 */
import type { Value } from '../history.ts'
import { type Model, mixed } from '../linearizability/model.ts'
import { hashText, hashValue, shown } from './value.ts'

export type MultiRegisterStep =
  | { readonly type: 'read'; readonly key: string }
  | { readonly type: 'write'; readonly key: string; readonly value: Value }

/** In program order: a step sees the writes of those before it. */
export type MultiRegisterInput = readonly MultiRegisterStep[]

/** What the reads saw, in their order. */
export type MultiRegisterOutput = readonly Value[]

export interface MultiRegisterState {
  readonly values: ReadonlyMap<string, Value>
  readonly hash: number
}

/** @param initial what registers hold that were never written: the same for all, or by key, others null. */
export function multiRegister(
  initial: Value | ReadonlyMap<string, Value> = null,
): Model<MultiRegisterState, MultiRegisterInput, MultiRegisterOutput> {
  const unwritten = (key: string): Value =>
    initial instanceof Map
      ? ((initial as ReadonlyMap<string, Value>).get(key) ?? null)
      : (initial as Value)
  const part = (key: string, value: Value): number => mixed(hashText(key) ^ hashValue(value))

  function written(state: MultiRegisterState, key: string, value: Value): MultiRegisterState {
    const before = state.values.get(key)
    const hash = state.hash + part(key, value) - (before === undefined ? 0 : part(key, before))
    return { values: new Map(state.values).set(key, value), hash: hash | 0 }
  }

  return {
    name: 'multi-register',
    initial: { values: new Map(), hash: 0 },
    step(state, steps, output) {
      let after = state
      let reads = 0
      for (const step of steps) {
        if (step.type === 'write') after = written(after, step.key, step.value)
        else {
          const seen = output?.[reads++]
          const { key } = step
          if (seen !== undefined && !Object.is(seen, after.values.get(key) ?? unwritten(key))) {
            return undefined
          }
        }
      }
      return after
    },
    reads: (steps) => steps.every(({ type }) => type === 'read'),
    equal: (one, other) =>
      one.hash === other.hash &&
      one.values.size === other.values.size &&
      [...one.values].every(([key, value]) => Object.is(other.values.get(key), value)),
    hash: ({ hash }) => hash,
    describe(steps, output) {
      let reads = 0
      return steps
        .map((step) =>
          step.type === 'write'
            ? `write ${step.key} ${shown(step.value)}`
            : `read ${step.key} → ${shown(output?.[reads++])}`,
        )
        .join(', ')
    },
  }
}
