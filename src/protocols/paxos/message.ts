/**
 * What members of a multi-Paxos group say to each other. Phase 1 is said once for all open slots, phase 2
 * once per slot; the rest keeps the slow and the new ones up to date.
 */
import type { Ballot, NodeId } from './ballot.ts'
import type { PlacedConfiguration, PlacedEntry, Value } from './contract.ts'

interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
}

export type Message = Envelope & MessageBody

export type MessageBody =
  /** For all slots from `start` on, however many there may come to be. */
  | { readonly kind: 'prepare'; readonly ballot: Ballot; readonly start: number }
  | {
      readonly kind: 'promise'
      readonly ballot: Ballot
      /** It speaks for the slots from `start` to `end`; if there is more, the leader asks for it. */
      readonly start: number
      readonly end: number
      /** What was accepted there. */
      readonly entries: readonly PlacedEntry[]
      /** Slots up to here were chosen, and of what was accepted there only a snapshot is left. */
      readonly floor: number
      /** All slots up to here are chosen, and can be learned from the sender. */
      readonly commit: number
    }
  /** A higher ballot was promised. */
  | { readonly kind: 'refused'; readonly ballot: Ballot; readonly promised: Ballot }
  | {
      readonly kind: 'accept'
      readonly ballot: Ballot
      readonly entries: readonly { readonly slot: number; readonly value: Value }[]
      readonly commit: number
    }
  | { readonly kind: 'accepted'; readonly ballot: Ballot; readonly slots: readonly number[] }
  | {
      readonly kind: 'heartbeat'
      readonly ballot: Ballot
      readonly commit: number
      /** The leader's round of confirmations; the reply repeats it. */
      readonly round: number
    }
  /** Nothing higher was promised. */
  | { readonly kind: 'heartbeat-reply'; readonly ballot: Ballot; readonly round: number }
  /** What was chosen from `start` on? */
  | { readonly kind: 'learn'; readonly start: number }
  | {
      readonly kind: 'learned'
      readonly entries: readonly PlacedEntry[]
      readonly commit: number
    }
  /** A snapshot in pieces, asked for one by one. */
  | { readonly kind: 'snapshot-ask'; readonly slot: number; readonly position: number }
  | {
      readonly kind: 'snapshot-piece'
      readonly slot: number
      readonly position: number
      readonly sizeBytes: number
      readonly bytes: Uint8Array
      readonly configurations: readonly PlacedConfiguration[]
    }
  /** From one that was removed: do you know all up to here? */
  | { readonly kind: 'leave'; readonly commit: number }
  /** All up to here is on this disk. */
  | { readonly kind: 'released'; readonly commit: number }
  | { readonly kind: 'admit'; readonly disk: string }
  /** `known`: the disk that is known under that name. */
  | { readonly kind: 'admit-reply'; readonly disk: string; readonly known: string }
