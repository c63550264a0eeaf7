/**
 * Changing who decides, while deciding goes on. Any change of voters passes through a configuration in which
 * the old and the new majority are both needed (joint consensus; paper, section 6), so that at no moment two
 * majorities exist that do not meet; the leader leaves it by itself once it is committed. Learners come and
 * go in one step, for they count for nothing.
 *
 * One change at a time, and none while an earlier one is uncommitted. Ids that were removed never come back:
 * a member with an empty disk would have forgotten what it promised.
 */

import { extend, inForce, isChanging, placedInForce } from './configurations.ts'
import type { ConfigurationChange, Refusal } from './contract.ts'
import type { Configuration, MemberId } from './entry.ts'
import { entryBytes, lastIndexOf } from './log.ts'
import { refuse } from './outbox.ts'
import { newProgress } from './progress.ts'
import { isMember, isVoter, membersOf } from './quorum.ts'
import { isMemberId } from './settings.ts'
import type { Leadership, RaftState } from './state.ts'

/** The oldest ids beyond this are forgotten; each removal adds one. */
const retiredMax = 1_000
const membersMax = 64

/** An input of this member's host. */
export function change(state: RaftState, id: string, wanted: ConfigurationChange): void {
  const { lead } = state
  if (lead === undefined) {
    refuse(state, id, 'not-leader')
    return
  }
  if (state.transfer !== undefined) {
    refuse(state, id, 'transferring')
    return
  }
  // Until an entry of its own term is committed, a leader cannot know that no other change is under way.
  const unsure = isChanging(state) || state.commit < lead.startIndex
  if (unsure || lead.change !== undefined) {
    refuse(state, id, 'change-under-way')
    return
  }
  const next = configurationAfter(state, lead, wanted)
  if (typeof next === 'string') {
    refuse(state, id, next)
    return
  }
  lead.change = id
  appendConfiguration(state, lead, next)
}

function configurationAfter(
  state: RaftState,
  lead: Leadership,
  wanted: ConfigurationChange,
): Configuration | Refusal {
  const now = inForce(state)
  const { voters, learners } = now
  switch (wanted.kind) {
    case 'add-learner': {
      const { member, address } = wanted
      const taken = isMember(now, member) || now.retired.includes(member)
      if (taken || !isMemberId(member) || membersOf(now).length >= membersMax) {
        return 'invalid-change'
      }
      const addresses = { ...now.addresses, [member]: address }
      return { ...now, learners: [...learners, member], addresses }
    }
    case 'promote': {
      const { member } = wanted
      if (!learners.includes(member)) return 'invalid-change'
      return replaced(state, lead, [...voters, member], without(learners, member))
    }
    case 'remove': {
      const { member } = wanted
      if (!isMember(now, member)) return 'invalid-change'
      return replaced(state, lead, without(voters, member), without(learners, member))
    }
    case 'replace':
      return replaced(state, lead, wanted.voters, wanted.learners)
  }
}

function replaced(
  state: RaftState,
  lead: Leadership,
  voters: readonly MemberId[],
  learners: readonly MemberId[],
): Configuration | Refusal {
  const now = inForce(state)
  const named = [...voters, ...learners]
  const known = named.every((member) => isMember(now, member))
  if (voters.length === 0 || !known || new Set(named).size !== named.length) {
    return 'invalid-change'
  }
  const added = voters.filter((member) => !now.voters.includes(member))
  if (!added.every((member) => hasCaughtUp(lead, member))) return 'not-caught-up'
  const { addresses, retired } = now
  const removed = without(now.voters, ...voters)
  if (added.length === 0 && removed.length === 0) {
    return left({ voters, outgoing: [], learners, addresses, retired }, membersOf(now))
  }
  // Learners that are left out count for nothing, so they are gone already.
  const dismissed = without(now.learners, ...named)
  const retiredNow = [...retired, ...dismissed].slice(-retiredMax)
  return { ...now, voters, outgoing: now.voters, learners, retired: retiredNow }
}

/** It has all that was committed at the last heartbeat: one more round is shorter than an election. */
function hasCaughtUp(lead: Leadership, member: MemberId): boolean {
  const progress = lead.followers.get(member)
  return progress?.mode === 'replicating' && progress.match >= lead.commitAtHeartbeat
}

/** The second half: the new voters alone. Whoever is left out is retired. */
function left(joint: Configuration, before: readonly MemberId[]): Configuration {
  const { voters, learners } = joint
  const gone = without(before, ...voters, ...learners)
  const addresses = Object.fromEntries(
    Object.entries(joint.addresses).filter(
      ([member]) => voters.includes(member) || learners.includes(member),
    ),
  )
  const retired = [...joint.retired, ...gone].slice(-retiredMax)
  return { voters, outgoing: [], learners, addresses, retired }
}

function appendConfiguration(
  state: RaftState,
  lead: Leadership,
  configuration: Configuration,
): void {
  const index = lastIndexOf(state.log) + 1
  const entry = { kind: 'configuration', term: state.term, index, configuration } as const
  extend(state, entry)
  lead.uncommittedBytes += entryBytes(entry)
  lead.sendDue = true
  followConfiguration(state, lead)
}

/** New members are followed from now on; removed ones until their removal is committed. */
export function followConfiguration(state: RaftState, lead: Leadership): void {
  for (const member of membersOf(inForce(state))) {
    if (member === state.settings.id || lead.followers.has(member)) continue
    lead.followers.set(member, newProgress(member, lastIndexOf(state.log) + 1))
  }
}

/** After each advance of the commit index: leave the joint configuration, or end the change. */
export function settleChange(state: RaftState, lead: Leadership): void {
  const { index, configuration } = placedInForce(state)
  if (index > state.commit) return
  if (configuration.outgoing.length > 0) {
    appendConfiguration(state, lead, left(configuration, configuration.outgoing))
    return
  }
  if (lead.change !== undefined) state.outbox.ended.push({ id: lead.change, ok: true })
  lead.change = undefined
  lead.farewellDue = lead.farewellDue || hasRemoved(state, lead)
}

function hasRemoved(state: RaftState, lead: Leadership): boolean {
  const configuration = inForce(state)
  if (!isVoter(configuration, state.settings.id)) return true
  for (const member of lead.followers.keys()) if (!isMember(configuration, member)) return true
  return false
}

/** After the last messages to them were built. */
export function dropRemoved(state: RaftState, lead: Leadership): void {
  lead.farewellDue = false
  const configuration = inForce(state)
  for (const member of lead.followers.keys()) {
    if (!isMember(configuration, member)) lead.followers.delete(member)
  }
}

function without(members: readonly MemberId[], ...gone: readonly MemberId[]): MemberId[] {
  return members.filter((member) => !gone.includes(member))
}
