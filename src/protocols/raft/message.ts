/**
 * What members say to each other. Every message carries the sender's term: a member that hears of a later
 * one falls back to follower, and a message of an earlier one is void (its sender is told, where needed).
 */
import type { Entry, MemberId } from './entry.ts'

interface Envelope {
  readonly from: MemberId
  readonly to: MemberId
  readonly term: number
}

export type Message = Envelope & MessageBody

export type MessageBody =
  /** `pre`: would you vote for me? `term` is then the term it would be, and nobody's term changes. */
  | {
      readonly kind: 'vote'
      readonly pre: boolean
      readonly lastIndex: number
      readonly lastTerm: number
      /** Asked by a leader that hands over: followers answer although they hear from it. */
      readonly transfer: boolean
    }
  | { readonly kind: 'vote-reply'; readonly pre: boolean; readonly granted: boolean }
  | {
      readonly kind: 'append'
      readonly prevIndex: number
      readonly prevTerm: number
      readonly entries: readonly Entry[]
      readonly commit: number
      /** The leader's round of confirmations; the reply repeats it. */
      readonly round: number
    }
  | {
      readonly kind: 'append-reply'
      /** `true`: the follower's log agrees with the leader's up to `index`. */
      readonly accepted: boolean
      /** If refused, the `prevIndex` that did not fit. */
      readonly index: number
      /** If refused: the last place where the logs may agree, so that a leader goes back by terms. */
      readonly hintIndex: number
      readonly hintTerm: number
      readonly round: number
    }
  /** `commit` is at most what the follower is known to hold. */
  | { readonly kind: 'heartbeat'; readonly commit: number; readonly round: number }
  | { readonly kind: 'heartbeat-reply'; readonly round: number }
  | { readonly kind: 'timeout-now' }
  | { readonly kind: 'forward'; readonly id: string; readonly commands: readonly Uint8Array[] }
  | { readonly kind: 'forward-accepted'; readonly id: string; readonly index: number }
  | { readonly kind: 'forward-refused'; readonly id: string; readonly reason: string }
  | { readonly kind: 'read'; readonly id: string; readonly by: 'quorum' | 'lease' }
  | { readonly kind: 'read-reply'; readonly id: string; readonly index: number }
  | { readonly kind: 'read-refused'; readonly id: string; readonly reason: string }
