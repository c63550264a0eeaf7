/**
 * What leaves a member. A leader's messages of phase 2 are built here, once per turn, from what was proposed
 * in it: a hundred proposals make one message per member, and one sync.
 */
import type { PaxosOutputs } from './contract.ts'
import { configurationAt, sizeOf } from './durable.ts'
import type { Message } from './message.ts'
import {
  acceptors,
  emptyOutputs,
  type Leadership,
  type PaxosState,
  send,
  sendDurably,
} from './state.ts'

/** Says again what was not answered: any of it may have been lost. */
export function repeat(state: PaxosState, lead: Leadership): void {
  lead.mustBeat = lead.hasWon
  for (const to of acceptors(state)) {
    const end = lead.promisedTo.get(to) ?? lead.start - 1
    if (end === Number.MAX_SAFE_INTEGER) continue
    sendDurably(state, to, { kind: 'prepare', ballot: lead.ballot, start: end + 1 })
  }
  sendAccepts(state, lead, (slot, to) => {
    return slot < lead.resendTo && !(lead.votes.get(slot) ?? []).includes(to)
  })
  lead.resendTo = lead.next
}

/** Sends each member what it is to accept, in as few messages as their size allows. */
function sendAccepts(
  state: PaxosState,
  { ballot, votes }: Leadership,
  isFor: (slot: number, to: string) => boolean,
): void {
  const { durable, options } = state
  const { commit } = durable
  for (const to of acceptors(state)) {
    let entries: (Message & { kind: 'accept' })['entries'][number][] = []
    let bytes = 0
    const flush = (): void => {
      if (entries.length > 0) send(state, to, { kind: 'accept', ballot, entries, commit })
      entries = []
      bytes = 0
    }
    for (const slot of votes.keys()) {
      const value = durable.entries.get(slot)?.value
      if (value === undefined || slot <= commit || !isFor(slot, to)) continue
      if (!configurationAt(durable, slot).members.includes(to)) continue
      bytes += sizeOf(value)
      if (bytes > options.messageBytesMax) flush()
      entries.push({ slot, value })
    }
    flush()
  }
}

/** Hands over all that was collected. */
export function take(state: PaxosState): PaxosOutputs {
  const { lead, durable } = state
  if (lead !== undefined) {
    const fresh = new Set(lead.fresh)
    lead.fresh = []
    if (fresh.size > 0) sendAccepts(state, lead, (slot) => fresh.has(slot))
    if (lead.mustBeat) {
      const { ballot, round } = lead
      const beat = { kind: 'heartbeat', ballot, commit: durable.commit, round } as const
      for (const to of acceptors(state)) send(state, to, beat)
      lead.mustBeat = false
    }
  }
  const { out, records, ticket } = state
  state.out = emptyOutputs()
  if (records.length === 0) return { ...out, write: undefined }
  state.records = []
  state.ticket++
  const sync = records.some(({ kind }) => kind !== 'commit')
  return { ...out, write: { ticket, records, sync } }
}
