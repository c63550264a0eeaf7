/**
 * The rules for messages of other terms, which come before all else; then each message goes to the file that
 * knows about it.
 */
import { placedInForce } from './configurations.ts'
import {
  becomeFollower,
  hearLeader,
  isSticky,
  mayStand,
  onVote,
  onVoteReply,
  stand,
} from './election.ts'
import { onAppend, onHeartbeat } from './follower.ts'
import type { Message } from './message.ts'
import { send } from './outbox.ts'
import {
  onForward,
  onForwardAccepted,
  onForwardRefused,
  refusalOf,
  refuseForward,
} from './proposals.ts'
import { onRead, onReadRefused, onReadReply } from './reads.ts'
import { onAppendReply, onHeartbeatReply } from './replication.ts'
import type { RaftState } from './state.ts'

type Vote = Extract<Message, { kind: 'vote' }>

export function receive(state: RaftState, message: Message): void {
  if (message.to !== state.settings.id) return
  if (message.kind === 'vote' && isDeaf(state, message)) return
  if (message.term > state.term && !adoptTerm(state, message)) return
  if (message.term < state.term) answerLate(state, message)
  else dispatch(state, message)
}

/**
 * Candidates that are not even answered: a removed member that does not know it yet, and anybody but the
 * leader's chosen heir while a leader may count on this member.
 */
function isDeaf(state: RaftState, { from, term, transfer: chosen }: Vote): boolean {
  const { index, configuration } = placedInForce(state)
  if (index <= state.commit && configuration.retired.includes(from)) return true
  return term >= state.term && !chosen && (state.lead !== undefined || isSticky(state))
}

/** @returns is there something left to do with the message? */
function adoptTerm(state: RaftState, message: Message): boolean {
  if (message.kind === 'vote' && message.pre) {
    onVote(state, message)
    return false
  }
  // A yes to a pre-vote carries a term that nobody is in yet.
  if (message.kind === 'vote-reply' && message.pre && message.granted) {
    onVoteReply(state, message)
    return false
  }
  const { kind } = message
  const fromLeader = kind === 'append' || kind === 'heartbeat' || kind === 'timeout-now'
  becomeFollower(state, message.term, fromLeader ? message.from : undefined)
  return true
}

/**
 * A message of an earlier term does nothing, but its sender may have to learn the term: a leader that was
 * deposed meanwhile; a candidate with a lower term that would otherwise never win (etcd#8501); and whoever
 * waits for an answer.
 */
function answerLate(state: RaftState, message: Message): void {
  const { from } = message
  switch (message.kind) {
    case 'append':
    case 'heartbeat': {
      const body = { accepted: false, index: 0, hintIndex: 0, hintTerm: 0, round: 0 }
      send(state, from, { kind: 'append-reply', ...body }, 'ballot')
      return
    }
    case 'vote':
      send(state, from, { kind: 'vote-reply', pre: message.pre, granted: false }, 'ballot')
      return
    case 'forward':
      refuseForward(state, from, message.id, 'not-leader')
      return
    case 'read':
      send(state, from, { kind: 'read-refused', id: message.id, reason: 'not-leader' })
      return
    case 'forward-accepted':
      onForwardAccepted(state, message.id, message.term, message.index)
      return
    case 'forward-refused':
      onForwardRefused(state, message.id, refusalOf(message.reason))
      return
    case 'read-reply':
      onReadReply(state, message.id, message.index)
      return
    case 'read-refused':
      onReadRefused(state, message.id, refusalOf(message.reason))
      return
    default:
      return
  }
}

/** A message of this term. */
function dispatch(state: RaftState, message: Message): void {
  const { from } = message
  switch (message.kind) {
    case 'vote':
      onVote(state, message)
      return
    case 'vote-reply':
      onVoteReply(state, message)
      return
    case 'append':
      hearLeader(state, from)
      onAppend(state, message)
      return
    case 'heartbeat':
      hearLeader(state, from)
      onHeartbeat(state, message)
      return
    case 'append-reply':
      onAppendReply(state, message)
      return
    case 'heartbeat-reply':
      onHeartbeatReply(state, from, message.round)
      return
    case 'timeout-now':
      if (state.leader === from && mayStand(state)) stand(state, true)
      return
    case 'forward':
      onForward(state, message)
      return
    case 'forward-accepted':
      onForwardAccepted(state, message.id, message.term, message.index)
      return
    case 'forward-refused':
      onForwardRefused(state, message.id, refusalOf(message.reason))
      return
    case 'read':
      onRead(state, message)
      return
    case 'read-reply':
      onReadReply(state, message.id, message.index)
      return
    case 'read-refused':
      onReadRefused(state, message.id, refusalOf(message.reason))
      return
  }
}
