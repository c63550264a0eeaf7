/**
 * First in, first out. The state is two linked lists, the front in order and the back reversed, so that an
 * operation costs no copy of the queue and states share what they have in common; a hash of the whole
 * grows and shrinks with it.
 */
import { queueConflict } from '../containers/queue-conflict.ts'
import type { History, Value } from '../history.ts'
import type { Model } from '../linearizability/model.ts'
import { hashValue, shown } from './value.ts'

export type QueueInput =
  | { readonly type: 'enqueue'; readonly value: Value }
  | { readonly type: 'dequeue' }

/** Of a dequeue, the value, or null: the queue was empty. Of an enqueue, anything. */
export type QueueOutput = Value

interface Link {
  readonly value: Value
  readonly next: Link | undefined
}

export interface QueueState {
  readonly front: Link | undefined
  readonly back: Link | undefined
  readonly size: number
  /** Sum of the value hashes, each times a power of `base`: the youngest to the power 0. */
  readonly hash: number
}

const base = 0x01000193
const powers: number[] = [1]

function power(exponent: number): number {
  while (powers.length <= exponent) powers.push(Math.imul(powers.at(-1) ?? 1, base))
  return powers[exponent] ?? 1
}

/** Never null as an element: null is the answer of the empty queue. */
export function queue(): Model<QueueState, QueueInput, QueueOutput> {
  return {
    name: 'queue',
    initial: { front: undefined, back: undefined, size: 0, hash: 0 },
    step(state, input, output) {
      if (input.type === 'enqueue') return enqueued(state, input.value)
      if (state.size === 0) return output === undefined || output === null ? state : undefined
      const { front, back } =
        state.front === undefined ? { front: reversed(state.back), back: undefined } : state
      if (front === undefined) return undefined
      if (output !== undefined && !Object.is(output, front.value)) return undefined
      const size = state.size - 1
      const hash = (state.hash - Math.imul(hashValue(front.value), power(size))) | 0
      return { front: front.next, back, size, hash }
    },
    reads: (input, output) => input.type === 'dequeue' && output === null,
    conflict: (operations: History<QueueInput, QueueOutput>) =>
      queueConflict(operations, (input) =>
        input.type === 'enqueue' ? { put: input.value } : 'take',
      ),
    equal: sameQueue,
    hash: (state) => state.hash ^ state.size,
    describe: (input, output) =>
      input.type === 'enqueue' ? `enqueue ${shown(input.value)}` : `dequeue → ${shown(output)}`,
  }
}

function enqueued(state: QueueState, value: Value): QueueState {
  return {
    front: state.front,
    back: { value, next: state.back },
    size: state.size + 1,
    hash: (Math.imul(state.hash, base) + hashValue(value)) | 0,
  }
}

function reversed(list: Link | undefined): Link | undefined {
  let result: Link | undefined
  for (let link = list; link !== undefined; link = link.next) {
    result = { value: link.value, next: result }
  }
  return result
}

function sameQueue(one: QueueState, other: QueueState): boolean {
  if (one.size !== other.size || one.hash !== other.hash) return false
  if (one.front === other.front && one.back === other.back) return true
  const others = values(other)
  for (const value of values(one)) if (!Object.is(value, others.next().value)) return false
  return true
}

function* values(state: QueueState): Generator<Value, void, undefined> {
  for (let link = state.front; link !== undefined; link = link.next) yield link.value
  for (let link = reversed(state.back); link !== undefined; link = link.next) yield link.value
}
