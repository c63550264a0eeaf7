/**
 * The whole machine: what comes in goes to the file that knows about it, what goes out is collected by
 * `take`.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { advanceCommit } from './commit.ts'
import { inForce, placedInForce } from './configurations.ts'
import type { RaftInput, RaftOutputs, RaftStatus } from './contract.ts'
import {
  becomeFollower,
  countOwnVote,
  isSticky,
  mayStand,
  stand,
  standForPreVote,
  waitForElection,
} from './election.ts'
import type { Entry, MemberId, SnapshotMark } from './entry.ts'
import { lead } from './leadership.ts'
import { confirmWrites, entriesBetween, lastIndexOf, lastTermOf } from './log.ts'
import { change } from './membership.ts'
import { drain } from './outbox.ts'
import { expireForwarded, propose } from './proposals.ts'
import { expireAsked, read } from './reads.ts'
import { receive } from './receive.ts'
import { hasQuorum, onUnreachable } from './replication.ts'
import { compact, installed, receiveSnapshot, snapshotSent } from './snapshots.ts'
import type { RaftState } from './state.ts'
import { endTransfer, transfer } from './transfer.ts'

export { snapshotMark } from './snapshots.ts'
export { raft } from './start.ts'
export type { RaftState } from './state.ts'

/** Tells the machine what happened. `nowMs` may stand still and must not go back. */
export function step(state: RaftState, input: RaftInput, nowMs: number): void {
  if (nowMs > state.nowMs) state.nowMs = nowMs
  switch (input.kind) {
    case 'time':
      passTime(state)
      return
    case 'message':
      receive(state, input.message)
      return
    case 'written':
      written(state, input.ticket)
      return
    case 'propose':
      if (input.commands.length === 0) throw new InvalidArgumentError('a proposal without commands')
      propose(state, input.id, input.commands)
      return
    case 'read':
      read(state, input.id, input.by)
      return
    case 'change':
      change(state, input.id, input.change)
      return
    case 'transfer':
      transfer(state, input.id, input.target)
      return
    case 'campaign':
      // Never while a leader may count on this member's promise.
      if (state.lead !== undefined || !mayStand(state) || isSticky(state)) return
      stand(state, false)
      return
    case 'compact':
      compact(state, input.mark, input.keepFrom)
      return
    case 'snapshot-received':
      snapshotReceived(state, input.from, input.term, input.mark)
      return
    case 'installed':
      installed(state, input.index)
      return
    case 'snapshot-sent':
      snapshotSent(state, input.to, input.index, input.arrived)
      return
    case 'unreachable':
      onUnreachable(state, input.member)
      return
  }
}

/** All that is to be written, sent and applied since the last call. */
export function take(state: RaftState): RaftOutputs {
  if (state.lead !== undefined && !lead(state, state.lead)) {
    becomeFollower(state, state.term, undefined)
  }
  return drain(state)
}

function snapshotReceived(
  state: RaftState,
  from: MemberId,
  term: number,
  mark: SnapshotMark,
): void {
  if (term < state.term || (term === state.term && state.lead !== undefined)) return
  // Whoever sent it led in that term; a candidate must not win while its log is being replaced.
  if (term > state.term || state.role !== 'follower') becomeFollower(state, term, from)
  receiveSnapshot(state, from, mark)
}

function passTime(state: RaftState): void {
  const { lead: leadership, nowMs } = state
  expireForwarded(state)
  expireAsked(state)
  if (state.transfer !== undefined && nowMs >= state.transfer.deadlineMs) endTransfer(state)
  if (leadership === undefined) {
    if (nowMs < state.electionAtMs) return
    if (mayStand(state)) standForPreVote(state)
    else waitForElection(state)
    return
  }
  if (nowMs >= leadership.quorumCheckAtMs) {
    leadership.quorumCheckAtMs = nowMs + state.settings.electionMs
    if (!hasQuorum(state, leadership)) {
      becomeFollower(state, state.term, undefined)
      return
    }
  }
  if (nowMs < leadership.heartbeatAtMs) return
  leadership.heartbeatAtMs = nowMs + state.settings.heartbeatMs
  leadership.commitAtHeartbeat = state.commit
  leadership.roundDue = true
  state.disk.commitDue = true
}

function written(state: RaftState, ticket: number): void {
  const { disk, log } = state
  if (ticket <= disk.written || ticket > disk.ticket) return
  disk.written = ticket
  confirmWrites(log, ticket)
  countOwnVote(state)
  advanceCommit(state)
}

/** When `{ kind: 'time' }` should be said next, on the host's monotonic clock. May be in the past. */
export function deadlineMs(state: RaftState): number {
  const { asked, forwarded, lead: leadership, transfer: handover } = state
  let deadline =
    leadership === undefined
      ? state.electionAtMs
      : Math.min(leadership.heartbeatAtMs, leadership.quorumCheckAtMs)
  if (handover !== undefined) deadline = Math.min(deadline, handover.deadlineMs)
  // Both are in order of their deadlines: the first is the earliest.
  for (const waitingUntilMs of [...first(asked), ...first(forwarded)]) {
    deadline = Math.min(deadline, waitingUntilMs)
  }
  return deadline
}

function first(waiting: ReadonlyMap<string, number>): readonly number[] {
  for (const deadline of waiting.values()) return [deadline]
  return []
}

/** Where a member stands, for people and tests. */
export function status(state: RaftState): RaftStatus {
  const { log, settings } = state
  return {
    id: settings.id,
    role: state.role,
    term: state.term,
    vote: state.vote,
    leader: state.leader,
    commit: state.commit,
    firstIndex: log.baseIndex + 1,
    lastIndex: lastIndexOf(log),
    lastTerm: lastTermOf(log),
    durableIndex: log.durable,
    configuration: inForce(state),
    configurationIndex: placedInForce(state).index,
    followers: [...(state.lead?.followers.values() ?? [])].map((progress) => ({
      id: progress.id,
      mode: progress.mode,
      match: progress.match,
      next: progress.next,
      inflight: progress.inflight.length,
      active: progress.active,
    })),
  }
}

/** Entries of the log, both ends included, as far as they are still held. */
export function entries(state: RaftState, from: number, to: number): readonly Entry[] {
  return entriesBetween(state.log, from, to)
}
