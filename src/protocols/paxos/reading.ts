/**
 * Reads that see every write which ended before they began, without a slot of their own and without trust
 * in clocks. The leader notes how far it is, then hears from an accept quorum that nothing higher was
 * promised: so nobody else can have got anything chosen in between.
 *
 * It must first know all that was chosen before its time: whatever phase 1 found is chosen here, too.
 *
 * Why the quorum of the next slot is enough, even while a new configuration waits: whoever would get ahead
 * of this leader must get that slot chosen first, and for it needs promises from that slot's members.
 */
import { sameBallot } from './ballot.ts'
import { configurationAt } from './durable.ts'
import { hasPromises } from './leading.ts'
import type { Message } from './message.ts'
import type { PaxosState, Read } from './state.ts'

export function onRead(state: PaxosState, id: string): void {
  const { lead, options } = state
  if (lead === undefined || !lead.hasWon) state.out.refused.push({ id, reason: 'not-leader' })
  else if (lead.reads.length >= options.readsMax) state.out.refused.push({ id, reason: 'full' })
  else lead.reads.push({ id })
}

export function onHeartbeatReply(
  state: PaxosState,
  { from, ballot, round }: Message & { kind: 'heartbeat-reply' },
): void {
  const { lead } = state
  if (lead === undefined || !sameBallot(ballot, lead.ballot)) return
  lead.confirmed.set(from, Math.max(lead.confirmed.get(from) ?? 0, round))
}

/** All reads of one turn share one round. */
export function settleReads(state: PaxosState): void {
  const { lead, durable } = state
  if (lead === undefined || lead.reads.length === 0) return
  const slot = durable.commit
  const by = configurationAt(durable, slot + 1)
  const knowsAll = slot >= lead.foundTo && slot >= lead.floor && hasPromises(lead, by, slot + 1)
  if (knowsAll && lead.reads.some(({ sure }) => sure === undefined)) {
    const round = ++lead.round
    lead.mustBeat = true
    lead.confirmed.set(state.options.id, round)
    lead.reads = lead.reads.map((read) => ({ ...read, sure: read.sure ?? { slot, round, by } }))
  }
  const waiting: Read[] = []
  for (const read of lead.reads) {
    const { sure } = read
    const yes = sure?.by.members.filter((one) => (lead.confirmed.get(one) ?? 0) >= sure.round)
    if (sure === undefined || (yes?.length ?? 0) < sure.by.quorums.accept) waiting.push(read)
    else state.out.reads.push({ id: read.id, slot: sure.slot })
  }
  lead.reads = waiting
}
