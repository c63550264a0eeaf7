/**
 * Who leads. A member whose patience ends first asks whether it would be elected (pre-vote; thesis, 9.6), so
 * that one that was cut off does not come back with a high term and depose a good leader; then it stands.
 *
 * Three things work together: pre-vote keeps terms from growing for nothing; a member that hears from a
 * leader answers no candidate (stickiness); and a leader that hears from no majority steps down, so that
 * the other two cannot keep a dead leadership alive.
 */

import { fractionOf, nextChance } from './chance.ts'
import { inForce } from './configurations.ts'
import type { MemberId } from './entry.ts'
import { becomeLeader, endLeadership } from './leadership.ts'
import { lastIndexOf, lastTermOf } from './log.ts'
import type { Message } from './message.ts'
import { send } from './outbox.ts'
import { loseForwarded } from './proposals.ts'
import { isVoter, membersOf, quorumOf } from './quorum.ts'
import { giveUpAsked } from './reads.ts'
import type { RaftState } from './state.ts'
import { endTransfer } from './transfer.ts'

type Vote = Extract<Message, { kind: 'vote' }>
type VoteReply = Extract<Message, { kind: 'vote-reply' }>

/** A timeout between one and two times `electionMs`, so that members seldom stand at once. */
export function waitForElection(state: RaftState): void {
  state.chance = nextChance(state.chance)
  const { electionMs } = state.settings
  state.electionAtMs = state.nowMs + electionMs + Math.floor(fractionOf(state.chance) * electionMs)
}

/** A later term, a leader of this term, or the end of a candidacy or leadership. */
export function becomeFollower(state: RaftState, term: number, leader: MemberId | undefined): void {
  if (term > state.term) {
    state.term = term
    state.vote = undefined
    state.disk.ballotDue = true
  }
  endLeadership(state)
  if (state.leader !== leader) {
    loseForwarded(state)
    giveUpAsked(state)
  }
  state.role = 'follower'
  state.leader = leader
  state.votes.clear()
  state.handedOver = false
  if (leader !== undefined) endTransfer(state)
  waitForElection(state)
}

/** A message of the leader of this term. */
export function hearLeader(state: RaftState, leader: MemberId): void {
  if (state.lead !== undefined) {
    throw new Error(`${leader} and ${state.settings.id} both lead in term ${state.term}`)
  }
  const same = state.role === 'follower' && state.leader === leader
  if (same) waitForElection(state)
  else becomeFollower(state, state.term, leader)
  state.stickyUntilMs = state.nowMs + state.settings.electionMs
}

/** Does a leader, of whatever term, still count on this member's voting for nobody? */
export function isSticky(state: RaftState): boolean {
  return state.nowMs < state.stickyUntilMs
}

/**
 * A member whose removal is in its log, but not known to be committed, must still stand (thesis, 4.2.2): it
 * may be the only one with that entry, and the others would wait for its vote for ever.
 */
export function mayStand(state: RaftState): boolean {
  if (state.installing !== undefined) return false
  for (let at = state.configurations.length - 1; at >= 0; at--) {
    const placed = state.configurations[at]
    if (placed === undefined) break
    if (isVoter(placed.configuration, state.settings.id)) return true
    if (placed.index <= state.commit) break
  }
  return false
}

/** First ask, changing nothing. */
export function standForPreVote(state: RaftState): void {
  becomeFollower(state, state.term, undefined)
  state.role = 'pre-candidate'
  state.votes.set(state.settings.id, true)
  askForVotes(state, true)
  countVotes(state)
}

export function stand(state: RaftState, handedOver: boolean): void {
  becomeFollower(state, state.term + 1, undefined)
  state.role = 'candidate'
  state.vote = state.settings.id
  state.handedOver = handedOver
  // Its own vote counts once it is durable: see `countOwnVote`.
  askForVotes(state, false)
}

function askForVotes(state: RaftState, pre: boolean): void {
  const { handedOver: transfer, log, settings, term } = state
  const lastIndex = lastIndexOf(log)
  const lastTerm = lastTermOf(log)
  for (const member of membersOf(inForce(state))) {
    if (member === settings.id || !isVoter(inForce(state), member)) continue
    const body = { kind: 'vote', pre, lastIndex, lastTerm, transfer } as const
    send(state, member, body, pre ? 'nothing' : 'ballot', pre ? term + 1 : term)
  }
}

export function countOwnVote(state: RaftState): void {
  const { disk } = state
  if (state.role !== 'candidate' || disk.ballotDue || disk.written < disk.ballotTicket) return
  if (state.votes.has(state.settings.id)) return
  state.votes.set(state.settings.id, true)
  countVotes(state)
}

function countVotes(state: RaftState): void {
  const configuration = inForce(state)
  if (quorumOf(configuration, (member) => state.votes.get(member) === true)) {
    if (state.role === 'pre-candidate') stand(state, false)
    else becomeLeader(state)
    return
  }
  // Beaten: no quorum is left among those who have not refused.
  if (quorumOf(configuration, (member) => state.votes.get(member) !== false)) return
  becomeFollower(state, state.term, undefined)
}

/** Asked for a vote. The term has been looked at: it is this member's, or, of a pre-vote, any later. */
export function onVote(state: RaftState, vote: Vote): void {
  const { from, pre, term, lastIndex, lastTerm } = vote
  const { log } = state
  const free = state.vote === undefined && state.leader === undefined
  const granted =
    ((pre && term > state.term) || state.vote === from || free) &&
    (lastTerm > lastTermOf(log) || (lastTerm === lastTermOf(log) && lastIndex >= lastIndexOf(log)))
  if (granted && !pre) {
    if (state.vote !== from) state.disk.ballotDue = true
    state.vote = from
    waitForElection(state)
  }
  const answered = pre && granted ? term : state.term
  send(state, from, { kind: 'vote-reply', pre, granted }, 'ballot', answered)
}

export function onVoteReply(state: RaftState, reply: VoteReply): void {
  const asked = reply.pre ? state.role === 'pre-candidate' : state.role === 'candidate'
  // A yes to a pre-vote carries the term that was asked for; anything else would be an answer to another.
  const expected = reply.pre && reply.granted ? state.term + 1 : state.term
  if (!asked || reply.term !== expected || state.votes.has(reply.from)) return
  state.votes.set(reply.from, reply.granted)
  countVotes(state)
}
