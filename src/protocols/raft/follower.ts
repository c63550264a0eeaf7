/**
 * The follower's side of copying the log: agree, refuse with a hint, or cut the tail, but only where it truly
 * conflicts. Messages overtake each other: an older append that says less than the log already holds must
 * not take anything away.
 */

import { learnCommit } from './commit.ts'
import { extend, rollBack } from './configurations.ts'
import { agreementBefore, lastIndexOf, termAt } from './log.ts'
import type { Message } from './message.ts'
import { send, sendAccepted } from './outbox.ts'
import type { RaftState } from './state.ts'

type Append = Extract<Message, { kind: 'append' }>
type Heartbeat = Extract<Message, { kind: 'heartbeat' }>

export function onAppend(state: RaftState, append: Append): void {
  // The log is about to be replaced: nothing may be said about it, but the leader is heard.
  if (state.installing !== undefined) {
    send(state, append.from, { kind: 'heartbeat-reply', round: append.round }, 'ballot')
    return
  }
  const { from, prevIndex, prevTerm, entries, round } = append
  const { log } = state
  // What is committed here agrees with every leader to come; it may be forgotten and cannot be compared.
  const known = prevIndex < state.commit
  if (!known && termAt(log, prevIndex) !== prevTerm) {
    refuseAppend(state, append)
    return
  }
  for (const entry of entries) {
    if (entry.index <= state.commit) continue
    const term = termAt(log, entry.index)
    if (term === entry.term) continue
    if (term !== undefined) rollBack(state, entry.index)
    extend(state, entry)
  }
  const verified = Math.max(prevIndex + entries.length, known ? state.commit : 0)
  learnCommit(state, Math.min(append.commit, verified))
  sendAccepted(state, from, verified, round)
}

function refuseAppend(state: RaftState, append: Append): void {
  const { from, prevIndex, prevTerm, round } = append
  const { log } = state
  const hintIndex = agreementBefore(log, Math.min(prevIndex, lastIndexOf(log)), prevTerm)
  const hintTerm = termAt(log, hintIndex) ?? 0
  const body = { accepted: false, index: prevIndex, hintIndex, hintTerm, round }
  send(state, from, { kind: 'append-reply', ...body }, 'ballot')
}

export function onHeartbeat(state: RaftState, heartbeat: Heartbeat): void {
  const { from, commit, round } = heartbeat
  if (state.installing === undefined) {
    learnCommit(state, Math.min(commit, lastIndexOf(state.log)))
  }
  state.disk.commitDue = true
  send(state, from, { kind: 'heartbeat-reply', round }, 'ballot')
}
