/**
 * What is committed can never be lost: a quorum has it on disk, and it is of the leader's own term, or has
 * such an entry behind it. Copies of an earlier term's entry prove nothing by themselves (paper, 5.4.2 and
 * figure 8), and the leader's own copy counts only once its disk has confirmed it.
 */
import { inForce } from './configurations.ts'
import { entryAt, entryBytes, termAt } from './log.ts'
import { settleChange } from './membership.ts'
import { quorumValue } from './quorum.ts'
import { startEarlyReads } from './reads.ts'
import type { RaftState } from './state.ts'

/** The leader's: asked whenever a member's durable log has grown. */
export function advanceCommit(state: RaftState): void {
  const { lead, log, settings } = state
  if (lead === undefined) return
  const index = quorumValue(inForce(state), (member) =>
    member === settings.id ? log.durable : (lead.followers.get(member)?.match ?? 0),
  )
  if (index <= state.commit || termAt(log, index) !== state.term) return
  for (let at = state.commit + 1; at <= index; at++) {
    const entry = entryAt(log, at)
    if (entry !== undefined) lead.uncommittedBytes -= entryBytes(entry)
  }
  state.commit = index
  lead.sendDue = true
  startEarlyReads(state, lead)
  settleChange(state, lead)
}

/** A follower's: told by the leader, and never beyond what is known to agree with the leader's log. */
export function learnCommit(state: RaftState, index: number): void {
  if (index > state.commit) state.commit = index
}

/** Has this leader committed an entry of its own term? Only then does it know the commit index. */
export function knowsCommit(state: RaftState): boolean {
  return state.lead !== undefined && state.commit >= state.lead.startIndex
}
