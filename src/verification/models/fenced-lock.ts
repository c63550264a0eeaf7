/**
 * A lock that gives a growing token with each acquisition, and the resource it protects, which refuses a
 * token below the largest it has seen. Where a lease can run out, the hold may end at any instant
 * unseen; the tokens and the resource then have to keep order alone.
 */
import { type Model, mixed } from '../linearizability/model.ts'
import { shown } from './value.ts'

export type FencedLockInput =
  | { readonly type: 'acquire' }
  | { readonly type: 'release'; readonly token: bigint }
  /** A use of the protected resource. */
  | { readonly type: 'write'; readonly token: bigint }

/** Of an acquire, the token, or null: held by another. Of the others, whether it was accepted. */
export type FencedLockOutput = bigint | boolean | null

export interface FencedLockState {
  /** `someone`: an acquisition that took the lock, but nobody knows its token. */
  readonly holder: bigint | 'nobody' | 'someone'
  /** Largest token given, as far as it is known. */
  readonly given: bigint
  /** Largest token that the resource has seen. */
  readonly seen: bigint
}

export interface FencedLockOptions {
  /** Can a hold end without a release? Default true: leases do. */
  readonly expires?: boolean
}

export function fencedLock({
  expires = true,
}: FencedLockOptions = {}): Model<FencedLockState, FencedLockInput, FencedLockOutput> {
  function acquired(
    state: FencedLockState,
    output: FencedLockOutput | undefined,
  ): FencedLockState | undefined {
    const held = state.holder !== 'nobody'
    if (output === null || output === false) return held ? state : undefined
    if (held && !expires) return output === undefined ? state : undefined
    if (typeof output !== 'bigint') return { ...state, holder: 'someone' }
    return output > state.given ? { ...state, holder: output, given: output } : undefined
  }

  function released(
    state: FencedLockState,
    token: bigint,
    output: FencedLockOutput | undefined,
  ): FencedLockState | undefined {
    const holds = state.holder === token || (state.holder === 'someone' && token > state.given)
    if (output === false) return holds && !expires ? undefined : state
    if (holds)
      return { ...state, holder: 'nobody', given: token > state.given ? token : state.given }
    return output === undefined ? state : undefined
  }

  return {
    name: 'fenced-lock',
    initial: { holder: 'nobody', given: 0n, seen: 0n },
    step(state, input, output) {
      if (input.type === 'acquire') return acquired(state, output)
      if (input.type === 'release') return released(state, input.token, output)
      const accepted = input.token >= state.seen
      if (output !== undefined && output !== null && output !== accepted) return undefined
      return accepted ? { ...state, seen: input.token } : state
    },
    reads: (input, output) => output === false || (input.type === 'acquire' && output === null),
    equal: (one, other) =>
      one.holder === other.holder && one.given === other.given && one.seen === other.seen,
    hash: ({ holder, given, seen }) =>
      mixed(Number(BigInt.asIntN(32, given)) ^ Math.imul(Number(BigInt.asIntN(32, seen)), 31)) ^
      (typeof holder === 'bigint' ? 1 : holder === 'someone' ? 2 : 3),
    describe(input, output) {
      if (input.type === 'acquire') return `acquire → ${shown(output)}`
      return `${input.type} with ${input.token} → ${shown(output)}`
    },
  }
}
