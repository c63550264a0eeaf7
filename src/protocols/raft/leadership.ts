/**
 * The beginning and the end of leading. A new leader knows nothing about the others, and not even what is
 * committed: an empty entry of its own term tells it both (paper, section 8).
 */
import { extend, inForce } from './configurations.ts'
import { entryAt, entryBytes, lastIndexOf } from './log.ts'
import { dropRemoved, followConfiguration } from './membership.ts'
import { refuse } from './outbox.ts'
import { isVoter } from './quorum.ts'
import { endReads } from './reads.ts'
import { sendToFollowers } from './replication.ts'
import type { Leadership, RaftState } from './state.ts'
import { askToLead } from './transfer.ts'

export function becomeLeader(state: RaftState): void {
  const { electionMs, id } = state.settings
  const index = lastIndexOf(state.log) + 1
  const lead: Leadership = {
    followers: new Map(),
    startIndex: index,
    round: 0,
    sentMs: [],
    roundDue: true,
    heartbeatAtMs: state.nowMs + state.settings.heartbeatMs,
    quorumCheckAtMs: state.nowMs + electionMs,
    commitAtHeartbeat: index,
    uncommittedBytes: uncommittedBytes(state),
    reads: [],
    earlyReads: [],
    change: undefined,
    leaseGone: false,
    seen: new Map(),
    sendDue: true,
    farewellDue: false,
  }
  state.role = 'leader'
  state.leader = id
  state.lead = lead
  state.votes.clear()
  followConfiguration(state, lead)
  const entry = { kind: 'empty', term: state.term, index } as const
  extend(state, entry)
  lead.uncommittedBytes += entryBytes(entry)
}

function uncommittedBytes(state: RaftState): number {
  let bytes = 0
  for (let at = state.commit + 1; at <= lastIndexOf(state.log); at++) {
    const entry = entryAt(state.log, at)
    if (entry !== undefined) bytes += entryBytes(entry)
  }
  return bytes
}

/** Who waited for this leader is told. Its proposals are in its log; what becomes of them, the log shows. */
export function endLeadership(state: RaftState): void {
  const { lead } = state
  if (lead === undefined) return
  state.lead = undefined
  endReads(state, lead)
  if (lead.change !== undefined) refuse(state, lead.change, 'lost')
}

/**
 * All messages of this turn. A leader whose removal is committed sends what it has, asks the member that is
 * furthest to take over, and is done: @returns `false`.
 */
export function lead(state: RaftState, leadership: Leadership): boolean {
  sendToFollowers(state, leadership)
  if (!leadership.farewellDue) return true
  dropRemoved(state, leadership)
  if (isVoter(inForce(state), state.settings.id)) return true
  const heir = furthestVoter(state, leadership)
  if (heir !== undefined) askToLead(state, heir)
  return false
}

function furthestVoter(state: RaftState, leadership: Leadership): string | undefined {
  let furthest: string | undefined
  let match = -1
  for (const member of inForce(state).voters) {
    const progress = leadership.followers.get(member)
    if (progress === undefined || progress.match <= match) continue
    furthest = member
    match = progress.match
  }
  return furthest
}
