/**
 * The leader's side of copying the log. Messages are built only when outputs are taken, so all that was
 * proposed in one turn travels in one message per follower (within `messageBytesMax`).
 */

import { advanceCommit } from './commit.ts'
import { inForce } from './configurations.ts'
import { agreementBefore, entriesBetween, entryAt, entryBytes, lastIndexOf, termAt } from './log.ts'
import type { Message } from './message.ts'
import { send } from './outbox.ts'
import { awaitSnapshot, probe, reach, replicate } from './progress.ts'
import { quorumOf } from './quorum.ts'
import { confirmReads } from './reads.ts'
import type { Leadership, Progress, RaftState } from './state.ts'
import { pursueTransfer } from './transfer.ts'

type AppendReply = Extract<Message, { kind: 'append-reply' }>

/** Replies keep their send time for lease only among this many rounds. */
const roundsMax = 4_096

/** Builds what the followers are to be sent now. */
export function sendToFollowers(state: RaftState, lead: Leadership): void {
  const newRound = lead.roundDue
  if (newRound) {
    beginRound(state, lead)
    // A leader that is a quorum by itself has answered.
    confirmReads(state, lead)
  }
  if (!lead.sendDue && !newRound) return
  lead.sendDue = false
  for (const progress of lead.followers.values()) {
    const sent = sendAppends(state, lead, progress)
    if (newRound && !sent) sendHeartbeat(state, lead, progress)
  }
}

function beginRound(state: RaftState, lead: Leadership): void {
  lead.roundDue = false
  lead.round += 1
  lead.sentMs.push(state.nowMs)
  if (lead.sentMs.length > roundsMax) lead.sentMs.splice(0, roundsMax / 2)
}

function sendHeartbeat(state: RaftState, lead: Leadership, progress: Progress): void {
  const commit = Math.min(state.commit, progress.match)
  send(state, progress.id, { kind: 'heartbeat', commit, round: lead.round })
}

/** @returns was anything sent? */
function sendAppends(state: RaftState, lead: Leadership, progress: Progress): boolean {
  if (progress.mode === 'snapshot' || progress.waiting) return false
  if (termAt(state.log, progress.next - 1) === undefined) return beginSnapshot(state, progress)
  let sent = false
  while (!isFull(state, progress) && progress.next <= lastIndexOf(state.log)) {
    sendAppend(state, lead, progress)
    sent = true
    if (progress.mode === 'probing') break
  }
  if (sent) return true
  const tellsCommit = progress.mode === 'replicating' && progress.commitSent < state.commit
  if (!tellsCommit && !progress.nudgeDue && progress.mode === 'replicating') return false
  sendAppend(state, lead, progress, 0)
  return true
}

function isFull(state: RaftState, progress: Progress): boolean {
  const { inflightMessagesMax, inflightBytesMax } = state.settings
  return (
    progress.inflight.length >= inflightMessagesMax || progress.inflightBytes >= inflightBytesMax
  )
}

function sendAppend(
  state: RaftState,
  lead: Leadership,
  progress: Progress,
  bytesMax: number = state.settings.messageBytesMax,
): void {
  const { log } = state
  const prevIndex = progress.next - 1
  const prevTerm = termAt(log, prevIndex) ?? 0
  let bytes = 0
  let lastIndex = prevIndex
  for (let entry = entryAt(log, progress.next); entry; entry = entryAt(log, lastIndex + 1)) {
    const more = bytes + entryBytes(entry)
    // One larger entry goes alone.
    if (more > bytesMax && (lastIndex > prevIndex || bytesMax === 0)) break
    bytes = more
    lastIndex = entry.index
  }
  const entries = lastIndex === prevIndex ? [] : entriesBetween(log, progress.next, lastIndex)
  const { commit } = state
  const { round } = lead
  send(state, progress.id, { kind: 'append', prevIndex, prevTerm, entries, commit, round })
  progress.commitSent = commit
  progress.nudgeDue = false
  if (progress.mode === 'probing') {
    progress.waiting = true
  } else if (entries.length > 0) {
    progress.next = lastIndex + 1
    progress.inflight.push({ lastIndex, bytes })
    progress.inflightBytes += bytes
  }
}

/** What the follower lacks is forgotten here. A member that is not there gets no snapshot yet. */
function beginSnapshot(state: RaftState, progress: Progress): boolean {
  if (!progress.active) return false
  awaitSnapshot(progress)
  state.outbox.sendSnapshot.push({ to: progress.id, term: state.term })
  return false
}

/** Any answer of this term shows that the follower is there, and that it still followed at that round. */
function hear(state: RaftState, lead: Leadership, progress: Progress, round: number): void {
  progress.active = true
  if (round <= progress.round || round > lead.round) return
  progress.round = round
  const sentMs = lead.sentMs[lead.sentMs.length - 1 - (lead.round - round)]
  if (sentMs !== undefined) progress.roundSentMs = Math.max(progress.roundSentMs, sentMs)
  confirmReads(state, lead)
}

export function onHeartbeatReply(state: RaftState, from: string, round: number): void {
  const { lead } = state
  const progress = lead?.followers.get(from)
  if (lead === undefined || progress === undefined) return
  hear(state, lead, progress, round)
  progress.waiting = false
  // What was sent and not answered may be lost: an append without entries finds out.
  if (progress.match < lastIndexOf(state.log)) {
    progress.nudgeDue = true
    lead.sendDue = true
  }
}

export function onAppendReply(state: RaftState, reply: AppendReply): void {
  const { lead } = state
  const progress = lead?.followers.get(reply.from)
  if (lead === undefined || progress === undefined) return
  hear(state, lead, progress, reply.round)
  if (reply.accepted) onAccepted(state, lead, progress, reply.index)
  else onRefused(state, lead, progress, reply)
}

function onAccepted(state: RaftState, lead: Leadership, progress: Progress, index: number): void {
  if (index > lastIndexOf(state.log)) return
  const wasFull = isFull(state, progress)
  const advanced = reach(progress, index)
  if (progress.mode === 'probing' && index >= progress.next - 1) {
    replicate(progress)
    lead.sendDue = true
  } else if (progress.mode === 'snapshot' && termAt(state.log, progress.match) !== undefined) {
    // It has come far enough by other means.
    replicate(progress)
    lead.sendDue = true
  }
  if (wasFull) lead.sendDue = true
  if (!advanced) return
  advanceCommit(state)
  pursueTransfer(state)
}

function onRefused(
  state: RaftState,
  lead: Leadership,
  progress: Progress,
  reply: AppendReply,
): void {
  const { index, hintIndex, hintTerm } = reply
  if (progress.mode === 'snapshot' || index <= progress.match) return
  if (progress.mode === 'replicating') {
    probe(progress, progress.match + 1)
  } else {
    // An answer to an earlier probe says nothing new.
    if (index !== progress.next - 1) return
    const agreed = agreementBefore(state.log, Math.min(hintIndex, index - 1), hintTerm)
    probe(progress, agreed + 1)
  }
  lead.sendDue = true
}

export function onUnreachable(state: RaftState, member: string): void {
  const progress = state.lead?.followers.get(member)
  if (progress?.mode === 'replicating') probe(progress, progress.match + 1)
}

/** A leader that a majority did not answer for an election timeout cannot know that it still leads. */
export function hasQuorum(state: RaftState, lead: Leadership): boolean {
  const self = state.settings.id
  const heard = quorumOf(
    inForce(state),
    (member) => member === self || lead.followers.get(member)?.active === true,
  )
  for (const progress of lead.followers.values()) progress.active = false
  return heard
}
