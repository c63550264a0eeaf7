/**
 * A small replicated store for trials: put, append, compare-and-set, with client sessions so that a command
 * that is sent again is carried out once. It notices when it is not fed each index once, in order.
 */

import { clientSessions } from '../../protocols/sessions/sessions.ts'
import type { Model } from '../../verification/linearizability/model.ts'
import { hashText } from '../../verification/models/value.ts'
import type { ReplicatedMachine } from './contract.ts'

export type KvInput =
  | { readonly type: 'get'; readonly key: string; readonly by: 'quorum' | 'lease' }
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'append'; readonly key: string; readonly value: string }
  | {
      readonly type: 'cas'
      readonly key: string
      readonly from: string
      readonly value: string
    }

/** Of a get the value, of a cas whether it swapped. */
export type KvOutput = string | boolean

export interface KvCommand {
  readonly session: string
  readonly sequence: number
  readonly lowest: number
  readonly input: KvInput
}

export interface KvMachine extends ReplicatedMachine {
  read(key: string): string
  /** All that must be the same on each member. */
  digest(): string
}

const limits = { sessionsMax: 10_000, ttlMs: 1e12, idleMinMs: 1e12, openMax: 64 }
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeCommand(command: KvCommand): Uint8Array {
  return encoder.encode(JSON.stringify(command))
}

/** `true` if a cas swapped, `false` if it did not or if the command was not carried out at all. */
export function decodeAnswer(bytes: Uint8Array): boolean | 'over' {
  const text = decoder.decode(bytes)
  return text === 'over' ? 'over' : text === 'yes'
}

export function kvMachine(misfed: (message: string) => void): KvMachine {
  const values = new Map<string, string>()
  const sessions = clientSessions<string>(limits)
  let last = 0

  function carryOut(input: KvInput): string {
    const now = values.get(input.key) ?? ''
    if (input.type === 'put') values.set(input.key, input.value)
    if (input.type === 'append') values.set(input.key, now + input.value)
    if (input.type !== 'cas') return 'yes'
    if (now !== input.from) return 'no'
    values.set(input.key, input.value)
    return 'yes'
  }

  function answerTo(index: number, { session, sequence, lowest, input }: KvCommand): string {
    const number = { session, sequence, lowest }
    let admission = sessions.admit(number, index)
    if (admission.kind === 'over' && sequence === 1 && sessions.open(session, index)) {
      admission = sessions.admit(number, index)
    }
    if (admission.kind === 'repeated') return admission.answer
    if (admission.kind !== 'new') return 'over'
    const answer = carryOut(input)
    sessions.finish(number, answer)
    return answer
  }

  return {
    apply(index, command) {
      if (index <= last) misfed(`index ${index} was applied after ${last}`)
      last = index
      return encoder.encode(answerTo(index, JSON.parse(decoder.decode(command))))
    },
    snapshot() {
      // Written down at once, not when it is read: what is applied meanwhile must not show.
      const text = JSON.stringify({ last, values: [...values], sessions: sessions.picture() })
      const bytes = encoder.encode(text)
      const half = Math.ceil(bytes.length / 2)
      return [bytes.subarray(0, half), bytes.subarray(half)]
    },
    restore(pieces) {
      // A piece may end within a character; and there is no `Buffer` in a browser.
      const whole = new TextDecoder()
      const texts = Array.from(pieces, (piece) => whole.decode(piece, { stream: true }))
      const picture = JSON.parse(texts.join('') + whole.decode())
      last = picture.last
      values.clear()
      for (const [key, value] of picture.values) values.set(key, value)
      sessions.restore(picture.sessions)
    },
    read: (key) => values.get(key) ?? '',
    digest: () => JSON.stringify([[...values].sort(), sessions.picture()]),
  }
}

/** What one copy would do. */
export const kvModel: Model<string, KvInput, KvOutput> = {
  name: 'kv',
  initial: '',
  step(state, input, output) {
    if (input.type === 'get') return output === undefined || output === state ? state : undefined
    if (input.type === 'put') return input.value
    if (input.type === 'append') return state + input.value
    const swapped = state === input.from
    if (output !== undefined && output !== swapped) return undefined
    return swapped ? input.value : state
  },
  equal: (one, other) => one === other,
  hash: (state) => hashText(state),
  partition: ({ key }) => key,
  reads: ({ type }, output) => type === 'get' || (type === 'cas' && output === false),
  overwrites: ({ type }) => type === 'put',
}
