/**
 * The acceptor of multi-Paxos: one promise for all slots, one acceptance per slot. What it answers leaves
 * only when what it rests on is on disk.
 *
 * A new leader is told all that was accepted, known to be chosen or not: so it can go on even if whoever
 * knew is gone. A member that is not admitted (its disk may be a new one under an old name) answers nothing.
 */
import { compareBallots, sameBallot } from './ballot.ts'
import type { PlacedEntry } from './contract.ts'
import { sizeOf } from './durable.ts'
import { askToLearn, learnCommit, teach } from './learning.ts'
import type { Message } from './message.ts'
import { acceptors, follow, type PaxosState, record, send, sendDurably } from './state.ts'

/** Beyond all slots. */
export const endOfSlots: number = Number.MAX_SAFE_INTEGER

/** Accepted slots so far ahead of what is known to be chosen are not taken: first learn. */
const slotsAheadMax = 4_096

export function onPrepare(state: PaxosState, message: Message & { kind: 'prepare' }): void {
  const { durable } = state
  const { from, ballot, start } = message
  if (!durable.admitted) return
  if (!acceptors(state).includes(from)) {
    // One of us knows a later configuration than the other. Silence is always safe.
    if (start > durable.commit + 1) askToLearn(state, from)
    else teach(state, from, start)
    return
  }
  if (refuses(state, message)) return
  follow(state, ballot)
  if (!sameBallot(ballot, durable.promised)) record(state, { kind: 'promise', ballot })
  const { commit, firstSlot } = durable
  const accepted = { ...page(state, start), floor: firstSlot - 1, commit }
  sendDurably(state, from, { kind: 'promise', ballot, start, ...accepted })
}

/** What is accepted from `start` on, as much as one message may have. */
function page(
  { durable, options }: PaxosState,
  start: number,
): { readonly entries: readonly PlacedEntry[]; readonly end: number } {
  const entries: PlacedEntry[] = []
  let bytes = 0
  for (const slot of [...durable.entries.keys()].filter((one) => one >= start).sort(byNumber)) {
    const entry = durable.entries.get(slot)
    if (entry === undefined) continue
    bytes += sizeOf(entry.value)
    if (bytes > options.messageBytesMax && entries.length > 0) return { entries, end: slot - 1 }
    entries.push({ slot, ...entry })
  }
  return { entries, end: endOfSlots }
}

export function byNumber(one: number, other: number): number {
  return one - other
}

export function onAccept(state: PaxosState, message: Message & { kind: 'accept' }): void {
  const { durable } = state
  const { from, ballot, commit } = message
  if (!durable.admitted || refuses(state, message)) return
  hearLeader(state, message)
  if (!sameBallot(ballot, durable.promised)) record(state, { kind: 'promise', ballot })
  const slots: number[] = []
  for (const { slot, value } of message.entries) {
    if (slot > durable.commit + slotsAheadMax) continue
    slots.push(slot)
    // What is chosen stays: this value can only be the same.
    if (slot <= durable.commit) continue
    const known = durable.entries.get(slot)
    if (known !== undefined && sameBallot(known.ballot, ballot)) continue
    record(state, { kind: 'accept', slot, ballot, value })
  }
  if (slots.length > 0) sendDurably(state, from, { kind: 'accepted', ballot, slots })
  learnCommit(state, from, ballot, commit)
}

export function onHeartbeat(state: PaxosState, message: Message & { kind: 'heartbeat' }): void {
  const { from, ballot, round, commit } = message
  if (refuses(state, message)) return
  hearLeader(state, message)
  if (state.durable.admitted) send(state, from, { kind: 'heartbeat-reply', ballot, round })
  learnCommit(state, from, ballot, commit)
}

function hearLeader(state: PaxosState, { from, ballot }: Ballots): void {
  state.leader = from
  state.refusals = 0
  follow(state, ballot)
}

type Ballots = Message & { kind: 'prepare' | 'accept' | 'heartbeat' }

/** Of a ballot below the promise nothing is taken; its owner is told. */
function refuses(state: PaxosState, { from, ballot }: Ballots): boolean {
  const { promised } = state.durable
  if (compareBallots(ballot, promised) >= 0) return false
  send(state, from, { kind: 'refused', ballot, promised })
  return true
}
