/**
 * Reads that show every write that ended before, without a place in the log (thesis, 6.4). The leader notes
 * its commit index, makes sure that it still leads, and the reader waits until that index is applied.
 *
 * `quorum`: a round of heartbeats that begins after the read came is answered by a majority. Many reads share
 * a round. `lease`: a majority has answered a round sent so recently that none of it can have voted for
 * another since; that rests on clocks that run at nearly one speed. A new leader does not know the commit
 * index until an entry of its own term is committed: quorum reads wait for that, lease reads are refused.
 */
import { inForce } from './configurations.ts'
import type { Refusal } from './contract.ts'
import type { MemberId } from './entry.ts'
import type { Message } from './message.ts'
import { refuse, send } from './outbox.ts'
import { quorumValue } from './quorum.ts'
import type { Leadership, RaftState } from './state.ts'

type By = 'quorum' | 'lease'

/** An input of this member's host. */
export function read(state: RaftState, id: string, by: By): void {
  const { lead, leader, settings } = state
  if (lead !== undefined) {
    serve(state, lead, id, settings.id, by)
    return
  }
  if (leader === undefined) {
    refuse(state, id, 'no-leader')
    return
  }
  if (state.asked.size >= settings.readsMax) {
    refuse(state, id, 'full')
    return
  }
  state.asked.set(id, state.nowMs + 2 * settings.electionMs)
  send(state, leader, { kind: 'read', id, by })
}

export function onRead(state: RaftState, message: Extract<Message, { kind: 'read' }>): void {
  const { lead } = state
  const { id, from, by } = message
  if (lead === undefined) answerRefused(state, id, from, 'not-leader')
  else serve(state, lead, id, from, by)
}

export function onReadReply(state: RaftState, id: string, index: number): void {
  if (state.asked.delete(id)) state.outbox.reads.push({ id, index })
}

export function onReadRefused(state: RaftState, id: string, reason: Refusal): void {
  // Reading changes nothing, so nothing can be lost.
  if (state.asked.delete(id)) refuse(state, id, reason === 'lost' ? 'no-leader' : reason)
}

function serve(state: RaftState, lead: Leadership, id: string, from: MemberId, by: By): void {
  const startKnown = state.commit >= lead.startIndex
  if (by === 'lease') {
    if (startKnown && holdsLease(state, lead)) answer(state, id, from, state.commit)
    else answerRefused(state, id, from, 'lease-unsure')
    return
  }
  if (lead.reads.length + lead.earlyReads.length >= state.settings.readsMax) {
    answerRefused(state, id, from, 'full')
    return
  }
  if (startKnown) wait(state, lead, id, from)
  else lead.earlyReads.push({ id, from })
}

function wait(state: RaftState, lead: Leadership, id: string, from: MemberId): void {
  lead.reads.push({ id, from, index: state.commit, round: lead.round + 1 })
  lead.roundDue = true
}

/** The first entry of this term is committed: what came too early is asked now. */
export function startEarlyReads(state: RaftState, lead: Leadership): void {
  if (lead.earlyReads.length === 0 || state.commit < lead.startIndex) return
  for (const { id, from } of lead.earlyReads.splice(0)) wait(state, lead, id, from)
}

/** Answers the reads whose round a quorum has answered. */
export function confirmReads(state: RaftState, lead: Leadership): void {
  const [first] = lead.reads
  if (first === undefined) return
  const confirmed = quorumValue(inForce(state), (member) =>
    member === state.settings.id ? lead.round : (lead.followers.get(member)?.round ?? 0),
  )
  if (first.round > confirmed) return
  const pending = lead.reads.findIndex(({ round }) => round > confirmed)
  const count = pending === -1 ? lead.reads.length : pending
  for (const { id, from, index } of lead.reads.splice(0, count)) answer(state, id, from, index)
}

/**
 * Counted from when the round was sent: whoever answered it did so later, and votes for nobody for an
 * election timeout from then on, by a clock that differs by at most `leaseDrift`.
 */
export function holdsLease(state: RaftState, lead: Leadership): boolean {
  const { electionMs, id, leaseDrift } = state.settings
  if (leaseDrift === undefined || lead.leaseGone) return false
  const sentMs = quorumValue(inForce(state), (member) =>
    member === id ? state.nowMs : (lead.followers.get(member)?.roundSentMs ?? -Infinity),
  )
  return state.nowMs < sentMs + electionMs * (1 - leaseDrift)
}

function answer(state: RaftState, id: string, from: MemberId, index: number): void {
  if (from === state.settings.id) state.outbox.reads.push({ id, index })
  else send(state, from, { kind: 'read-reply', id, index })
}

function answerRefused(state: RaftState, id: string, from: MemberId, reason: Refusal): void {
  if (from === state.settings.id) refuse(state, id, reason)
  else send(state, from, { kind: 'read-refused', id, reason })
}

/** This member leads no more: whoever waits may ask the next leader. */
export function endReads(state: RaftState, lead: Leadership): void {
  for (const { id, from } of lead.reads) answerRefused(state, id, from, 'no-leader')
  for (const { id, from } of lead.earlyReads) answerRefused(state, id, from, 'no-leader')
}

/** The leader that was asked leads no more, or nobody knows. */
export function giveUpAsked(state: RaftState): void {
  for (const id of state.asked.keys()) refuse(state, id, 'no-leader')
  state.asked.clear()
}

export function expireAsked(state: RaftState): void {
  for (const [id, deadlineMs] of state.asked) {
    if (deadlineMs > state.nowMs) break
    state.asked.delete(id)
    refuse(state, id, 'no-leader')
  }
}
