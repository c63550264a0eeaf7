/**
 * The words of single-decree Paxos: how some machines choose one value, once and for ever, though messages
 * are lost, doubled and late and any of them may stop. The parts are `acceptor.ts` (the memory),
 * `proposer.ts` (who wants something chosen) and `learner.ts` (who finds out).
 *
 * All three are plain values and functions from a state and a message to a new state and messages. Where an
 * answer has `persist`, that state must be durable before any of `send` leaves: a promise that its giver
 * can forget is no promise.
 *
 * Follows Lamport, "Paxos Made Simple" (2001).
 */
import type { Ballot, NodeId } from './ballot.ts'

/** An acceptance: this value was accepted in this ballot. */
export interface Acceptance<Value> {
  readonly ballot: Ballot
  readonly value: Value
}

/** Proposals carry the proposer's name in the ballot; answers carry the acceptor's. */
export type SingleDecreeMessage<Value> = Proposal<Value> | Answer<Value>

export type Proposal<Value> =
  /** Will you take part in this ballot, and what did you accept before it? */
  | { readonly kind: 'prepare'; readonly ballot: Ballot }
  | { readonly kind: 'accept'; readonly ballot: Ballot; readonly value: Value }

export type Answer<Value> =
  | {
      readonly kind: 'promise'
      readonly ballot: Ballot
      readonly from: NodeId
      /** Of the highest ballot it has accepted in, if any. */
      readonly accepted: Acceptance<Value> | undefined
    }
  | {
      readonly kind: 'accepted'
      readonly ballot: Ballot
      readonly from: NodeId
      readonly value: Value
    }
  /** Not needed for safety: tells a proposer that it is too late, and how high to go. */
  | {
      readonly kind: 'refused'
      readonly ballot: Ballot
      readonly from: NodeId
      readonly promised: Ballot
    }
