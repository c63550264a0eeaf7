/**
 * Handing leadership over (thesis, 3.10): stop taking proposals, bring the target up to the last entry, tell
 * it to stand for election at once. If nothing comes of it within an election timeout, the leader goes on.
 *
 * The target's candidacy overrides the promise that a lease rests on, and the message that starts it may be
 * late: once it is sent, this term has no lease any more.
 */
import { inForce } from './configurations.ts'
import type { MemberId } from './entry.ts'
import { lastIndexOf } from './log.ts'
import { refuse, send } from './outbox.ts'
import type { RaftState } from './state.ts'

/** An input of this member's host. */
export function transfer(state: RaftState, id: string, target: MemberId): void {
  const { lead, settings } = state
  if (lead === undefined) {
    refuse(state, id, 'not-leader')
    return
  }
  if (state.transfer !== undefined) {
    refuse(state, id, 'transferring')
    return
  }
  if (!inForce(state).voters.includes(target)) {
    refuse(state, id, 'invalid-change')
    return
  }
  if (target === settings.id) {
    state.outbox.ended.push({ id, ok: true })
    return
  }
  state.transfer = { id, target, deadlineMs: state.nowMs + settings.electionMs, asked: false }
  pursueTransfer(state)
}

/** Whenever the target has come further. */
export function pursueTransfer(state: RaftState): void {
  const { lead, transfer } = state
  if (lead === undefined || transfer === undefined || transfer.asked) return
  if (lead.followers.get(transfer.target)?.match !== lastIndexOf(state.log)) return
  transfer.asked = true
  askToLead(state, transfer.target)
}

export function askToLead(state: RaftState, target: MemberId): void {
  if (state.lead !== undefined) state.lead.leaseGone = true
  send(state, target, { kind: 'timeout-now' })
}

/** A leader is known, or the time is up. */
export function endTransfer(state: RaftState): void {
  const { transfer } = state
  if (transfer === undefined) return
  state.transfer = undefined
  state.outbox.ended.push({ id: transfer.id, ok: state.leader === transfer.target })
}
