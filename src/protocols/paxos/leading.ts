/**
 * The leader: one phase 1 for all slots that are open, then one round trip per slot, many at once within
 * the window. It first finishes what others may have begun: values that were accepted are proposed again,
 * holes between them are filled with nothing. Then come the commands that wait.
 *
 * For each slot, promises and acceptances count by the configuration that decides this slot. A leader may
 * hold promises of the old members and not yet of the new ones: then it goes on up to the slot where the
 * new ones decide, asks those, and waits.
 */
import { compareBallots, sameBallot } from './ballot.ts'
import type { Configuration, Value } from './contract.ts'
import { configurationAt } from './durable.ts'
import { askToLearn, commitNext } from './learning.ts'
import type { Message } from './message.ts'
import { endOfSlots } from './remembering.ts'
import {
  acceptors,
  current,
  type Leadership,
  type PaxosState,
  record,
  restElection,
  sendDurably,
  stepDown,
} from './state.ts'

/** Begins a ballot above all heard of. Ballot and promise are durable before anybody hears of it. */
export function campaign(state: PaxosState): void {
  const { durable, options } = state
  const { id } = options
  if (!durable.admitted || !current(state).members.includes(id)) return
  stepDown(state)
  const round = Math.max(durable.round, state.seenRound, durable.promised.round) + 1
  const ballot = { round, node: id }
  state.seenRound = round
  record(state, { kind: 'round', round })
  record(state, { kind: 'promise', ballot })
  const start = durable.commit + 1
  state.leader = undefined
  state.lead = {
    ...{ ballot, start, promisedTo: new Map(), found: new Map(), foundTo: 0, floor: 0 },
    ...{ next: start, hasWon: false, votes: new Map(), fresh: [], resendTo: start },
    ...{
      sinceMs: state.nowMs,
      mustBeat: false,
      round: 0,
      confirmed: new Map(),
      queue: [],
      reads: [],
    },
  }
  state.beatAtMs = state.nowMs + options.heartbeatMs
  for (const to of acceptors(state)) sendDurably(state, to, { kind: 'prepare', ballot, start })
}

export function onPromise(state: PaxosState, message: Message & { kind: 'promise' }): void {
  const { lead, durable } = state
  const { from, ballot, start, end, entries, floor, commit } = message
  if (lead === undefined || !sameBallot(ballot, lead.ballot)) return
  const before = lead.promisedTo.get(from) ?? lead.start - 1
  if (start > before + 1 || end <= before) return
  lead.promisedTo.set(from, end)
  for (const { slot, ballot: acceptedIn, value } of entries) {
    lead.foundTo = Math.max(lead.foundTo, slot)
    // What is proposed or chosen is settled: it rests on a quorum already.
    if (slot < lead.next || slot <= durable.commit) continue
    const known = lead.found.get(slot)
    if (known !== undefined && compareBallots(known.ballot, acceptedIn) >= 0) continue
    lead.found.set(slot, { ballot: acceptedIn, value })
  }
  lead.floor = Math.max(lead.floor, floor)
  if (commit > durable.commit) askToLearn(state, from)
  if (end === endOfSlots) return
  sendDurably(state, from, { kind: 'prepare', ballot, start: end + 1 })
}

export function onAccepted(state: PaxosState, message: Message & { kind: 'accepted' }): void {
  const { lead, durable } = state
  if (lead === undefined || !sameBallot(message.ballot, lead.ballot)) return
  for (const slot of message.slots) {
    const votes = lead.votes.get(slot)
    if (votes !== undefined && !votes.includes(message.from)) votes.push(message.from)
  }
  for (;;) {
    const slot = durable.commit + 1
    const votes = lead.votes.get(slot) ?? []
    const { members, quorums } = configurationAt(durable, slot)
    if (votes.filter((voter) => members.includes(voter)).length < quorums.accept) return
    lead.mustBeat = true
    commitNext(state)
    lead.votes.delete(slot)
    if (state.lead === undefined) return
  }
}

export function onRefused(state: PaxosState, message: Message & { kind: 'refused' }): void {
  state.seenRound = Math.max(state.seenRound, message.promised.round)
  const { lead } = state
  if (lead === undefined || !sameBallot(message.ballot, lead.ballot)) return
  if (compareBallots(message.promised, lead.ballot) <= 0) return
  stepDown(state)
  state.refusals++
  restElection(state)
}

/** Proposes in all slots in which there is something to propose, and it may. */
export function proposeNext(state: PaxosState): void {
  const { lead, durable } = state
  if (lead === undefined) return
  for (const slot of lead.votes.keys()) if (slot <= durable.commit) lead.votes.delete(slot)
  for (;;) {
    lead.next = Math.max(lead.next, durable.commit + 1, lead.floor + 1)
    const slot = lead.next
    if (slot > durable.commit + durable.genesis.alpha) return
    if (!hasPromises(lead, configurationAt(durable, slot), slot)) return
    lead.hasWon = true
    state.leader = state.options.id
    const value = nextValue(state, lead, slot)
    if (value === undefined) return
    lead.next++
    lead.found.delete(slot)
    lead.votes.set(slot, [])
    lead.fresh.push(slot)
    record(state, { kind: 'accept', slot, ballot: lead.ballot, value })
    // Its own vote counts like any other: when it is on disk.
    sendDurably(state, state.options.id, { kind: 'accepted', ballot: lead.ballot, slots: [slot] })
  }
}

export function hasPromises(
  lead: Leadership,
  { members, quorums }: Configuration,
  slot: number,
): boolean {
  const promised = members.filter((member) => (lead.promisedTo.get(member) ?? 0) >= slot)
  return promised.length >= quorums.prepare
}

function nextValue(state: PaxosState, lead: Leadership, slot: number): Value | undefined {
  const found = lead.found.get(slot)
  if (found !== undefined) return found.value
  if (slot <= lead.foundTo) return { kind: 'nothing' }
  const waiting = lead.queue.shift()
  if (waiting !== undefined) return waiting.value
  // A chosen configuration waits for its slot: let it come.
  const { configurations } = state.durable
  return configurations.some(({ from }) => from > slot) ? { kind: 'nothing' } : undefined
}
