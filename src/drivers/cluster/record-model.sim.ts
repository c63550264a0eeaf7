/**
 * What one record, or one counter, may answer: the model by which the histories of the trial are judged.
 * Versions only grow. Of a write whose end nobody saw the version is not known until somebody reads it.
 */
import type { Model } from '../../verification/index.ts'

export type RecordInput =
  | { readonly type: 'get'; readonly key: string }
  | {
      readonly type: 'put'
      readonly key: string
      readonly value: string
      readonly expected: bigint | 'absent' | 'any'
    }
  | { readonly type: 'delete'; readonly key: string; readonly expected: bigint }
  | { readonly type: 'add'; readonly key: string; readonly by: bigint }

export type RecordOutput =
  | { readonly version: bigint; readonly value?: string }
  | { readonly sum: bigint }
  | 'absent'
  | 'conflict'
  | 'deleted'

export interface RecordState {
  readonly value: string | undefined
  /** `undefined` with a value: not known. */
  readonly version: bigint | undefined
  /** No later write has a version up to this. */
  readonly high: bigint
  readonly sum: bigint
}

export const recordModel: Model<RecordState, RecordInput, RecordOutput> = {
  name: 'record',
  initial: { value: undefined, version: undefined, high: 0n, sum: 0n },
  partition: ({ key }) => key,
  reads: ({ type }) => type === 'get',
  equal: (one, other) =>
    one.value === other.value &&
    one.version === other.version &&
    one.high === other.high &&
    one.sum === other.sum,
  hash: ({ value, version, high, sum }) => hashOf(`${value} ${version} ${high} ${sum}`),
  describe: (input, output) => `${show(input)} → ${show(output)}`,
  step(state, input, output) {
    switch (input.type) {
      case 'add':
        return add(state, input.by, output)
      case 'get':
        return look(state, output)
      case 'put':
        return put(state, input.value, input.expected, output)
      case 'delete':
        return remove(state, input.expected, output)
    }
  },
}

type Answer = RecordOutput | undefined

function add(state: RecordState, by: bigint, output: Answer): RecordState | undefined {
  const sum = state.sum + by
  if (output === undefined) return { ...state, sum }
  return typeof output === 'object' && 'sum' in output && output.sum === sum
    ? { ...state, sum }
    : undefined
}

function look(state: RecordState, output: Answer): RecordState | undefined {
  if (output === undefined) return state
  if (output === 'absent') return state.value === undefined ? state : undefined
  if (typeof output !== 'object' || !('version' in output)) return undefined
  if (output.value !== state.value) return undefined
  return learn(state, output.version)
}

/** The record has this version, if that can be. */
function learn(state: RecordState, version: bigint): RecordState | undefined {
  if (state.value === undefined) return undefined
  if (state.version !== undefined) return state.version === version ? state : undefined
  return version > state.high ? { ...state, version, high: version } : undefined
}

function put(
  state: RecordState,
  value: string,
  expected: bigint | 'absent' | 'any',
  output: Answer,
): RecordState | undefined {
  const met = meets(state, expected)
  if (output === 'conflict') return met === 'surely' ? undefined : state
  const before = met === 'no' ? undefined : state
  if (output === undefined) {
    return before === undefined ? state : { ...state, value, version: undefined }
  }
  if (before === undefined || typeof output !== 'object' || !('version' in output)) return undefined
  const { version } = output
  if (typeof expected === 'bigint' && version <= expected) return undefined
  return version > state.high ? { ...state, value, version, high: version } : undefined
}

function remove(state: RecordState, expected: bigint, output: Answer): RecordState | undefined {
  const met = meets(state, expected)
  if (output === 'conflict') return met === 'surely' ? undefined : state
  if (met === 'no') return output === undefined ? state : undefined
  return { ...state, value: undefined, version: undefined }
}

function meets(state: RecordState, expected: bigint | 'absent' | 'any'): 'surely' | 'maybe' | 'no' {
  if (expected === 'any') return 'surely'
  if (expected === 'absent') return state.value === undefined ? 'surely' : 'no'
  if (state.value === undefined) return 'no'
  if (state.version === undefined) return expected > state.high ? 'maybe' : 'no'
  return state.version === expected ? 'surely' : 'no'
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}` : part)) ?? '?'
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  return hash >>> 0
}
