/**
 * When the log has been replaced by a picture of the state. The picture itself travels outside; here is only
 * its mark. The boundary moves after the picture is durable, never before: the host says so (`compact`,
 * `installed`), and until then the log stays as it is.
 */
import { forgetConfigurations, markAt } from './configurations.ts'
import type { MemberId, SnapshotMark } from './entry.ts'
import { forgetBefore, lastIndexOf, resetTo, termAt } from './log.ts'
import { sendAccepted } from './outbox.ts'
import { probe } from './progress.ts'
import type { RaftState } from './state.ts'

/** This member's own snapshot is durable. An older one than the last changes nothing. */
export function compact(state: RaftState, mark: SnapshotMark, keepFrom: number): void {
  const { log } = state
  if (mark.index <= log.snapshot.index || state.installing !== undefined) return
  if (mark.index > state.emitted || termAt(log, mark.index) !== mark.term) {
    throw new Error(`a snapshot at ${mark.index} of what was applied up to ${state.emitted}`)
  }
  log.snapshot = mark
  forgetConfigurations(state, mark)
  forgetBefore(log, Math.min(keepFrom, mark.index + 1))
}

/** Another member's snapshot lies whole on this member's disk. */
export function receiveSnapshot(state: RaftState, from: MemberId, mark: SnapshotMark): void {
  if (state.installing !== undefined) return
  if (mark.index <= state.commit) {
    // Stale: this member has all of it already.
    sendAccepted(state, from, state.commit, 0)
    return
  }
  if (termAt(state.log, mark.index) === mark.term) {
    // The log holds all of it, and a snapshot is committed: no need to replace anything.
    state.commit = mark.index
    sendAccepted(state, from, mark.index, 0)
    return
  }
  state.installing = mark
  state.outbox.install = mark
}

/** The received snapshot is the member's state now, durably. */
export function installed(state: RaftState, index: number): void {
  const { installing } = state
  if (installing === undefined || installing.index !== index) return
  state.installing = undefined
  resetTo(state.log, installing)
  state.commit = Math.max(state.commit, index)
  state.emitted = index
  state.disk.commit = state.commit
  state.configurations.length = 0
  state.configurations.push({ index, configuration: installing.configuration })
  if (state.leader !== undefined) sendAccepted(state, state.leader, index, 0)
}

/** The leader hears how the sending went. Either way it probes on, at the next heartbeat's answer. */
export function snapshotSent(
  state: RaftState,
  to: MemberId,
  index: number,
  arrived: boolean,
): void {
  const progress = state.lead?.followers.get(to)
  if (progress?.mode !== 'snapshot') return
  probe(progress, arrived ? Math.min(index, lastIndexOf(state.log)) + 1 : progress.match + 1)
  progress.waiting = true
}

/** What a host must save with a snapshot of its state as of `index`: its term and configuration. */
export function snapshotMark(state: RaftState, index: number): SnapshotMark | undefined {
  return index <= state.emitted ? markAt(state, index) : undefined
}
