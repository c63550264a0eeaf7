/**
 * The memory of Paxos. An acceptor remembers two things: the highest ballot it has promised to take part
 * in, and the last thing it accepted. It keeps one rule: nothing of a ballot below its promise.
 *
 * Both must be on its disk before it answers. One that has lost its disk is not an acceptor that forgot: it
 * is one whose promises others rely on, and it must never answer under its name again.
 */
import { type Ballot, compareBallots, higherBallot, type NodeId, noBallot } from './ballot.ts'
import type { Acceptance, Answer, Proposal } from './single-decree.ts'

/** All of it is durable. */
export interface Acceptor<Value> {
  readonly id: NodeId
  /** At least the ballot of `accepted`. */
  readonly promised: Ballot
  readonly accepted: Acceptance<Value> | undefined
}

export interface AcceptorStep<Value> {
  readonly acceptor: Acceptor<Value>
  /** Must the new state be durable before `send` leaves? */
  readonly persist: boolean
  readonly send: Answer<Value>
}

export function acceptor<Value>(id: NodeId): Acceptor<Value> {
  return { id, promised: noBallot, accepted: undefined }
}

export function acceptorStep<Value>(
  state: Acceptor<Value>,
  message: Proposal<Value>,
): AcceptorStep<Value> {
  const { ballot } = message
  const { id: from, promised } = state
  if (compareBallots(ballot, promised) < 0) {
    return { acceptor: state, persist: false, send: { kind: 'refused', ballot, from, promised } }
  }
  if (message.kind === 'prepare') {
    // A repeated prepare is answered alike: the first answer may have been lost.
    return {
      acceptor: { ...state, promised: higherBallot(promised, ballot) },
      persist: true,
      send: { kind: 'promise', ballot, from, accepted: state.accepted },
    }
  }
  const { value } = message
  return {
    acceptor: { id: from, promised: ballot, accepted: { ballot, value } },
    persist: true,
    send: { kind: 'accepted', ballot, from, value },
  }
}
