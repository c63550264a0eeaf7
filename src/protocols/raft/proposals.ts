/**
 * Commands on their way into the log: appended by the leader, within a limit of what may be uncommitted;
 * forwarded by everyone else. A forwarded proposal of which nothing more is heard is `lost`: it may be
 * applied all the same, now or later.
 */

import { extend } from './configurations.ts'
import type { Accepted, Refusal } from './contract.ts'
import type { Entry } from './entry.ts'
import { entryBytes, lastIndexOf } from './log.ts'
import type { Message } from './message.ts'
import { refuse, send } from './outbox.ts'
import type { Leadership, RaftState } from './state.ts'

type Forward = Extract<Message, { kind: 'forward' }>

/** Proposals of this member that a leader elsewhere has not answered yet. */
const forwardedMax = 65_536
/** A leader knows this many forwarded proposals again, if a message comes twice. */
const seenMax = 65_536

/** An input of this member's host. */
export function propose(state: RaftState, id: string, commands: readonly Uint8Array[]): void {
  const { lead, leader, forwarded, settings } = state
  if (lead !== undefined) {
    const answer = append(state, lead, commands)
    if (typeof answer === 'string') refuse(state, id, answer)
    else state.outbox.accepted.push({ id, ...answer })
  } else if (leader === undefined) {
    refuse(state, id, 'no-leader')
  } else if (forwarded.size >= forwardedMax) {
    refuse(state, id, 'full')
  } else {
    forwarded.set(id, state.nowMs + 2 * settings.electionMs)
    send(state, leader, { kind: 'forward', id, commands })
  }
}

function append(
  state: RaftState,
  lead: Leadership,
  commands: readonly Uint8Array[],
): Omit<Accepted, 'id'> | Refusal {
  if (state.transfer !== undefined) return 'transferring'
  const { term } = state
  const index = lastIndexOf(state.log) + 1
  const entries = commands.map(
    (data, at): Entry => ({ kind: 'command', term, index: index + at, data }),
  )
  const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0)
  // Alone even the largest proposal passes, or it never could.
  const { uncommittedBytes } = lead
  const fits = uncommittedBytes + bytes <= state.settings.uncommittedBytesMax
  if (!fits && uncommittedBytes > 0) return 'full'
  for (const entry of entries) extend(state, entry)
  lead.uncommittedBytes += bytes
  lead.sendDue = true
  return { term, index }
}

export function onForward(state: RaftState, message: Forward): void {
  const { id, from, commands } = message
  const { lead } = state
  if (lead === undefined) {
    refuseForward(state, from, id, 'not-leader')
    return
  }
  if (commands.length === 0) return
  const key = `${from}/${id}`
  const known = lead.seen.get(key)
  if (known !== undefined) {
    send(state, from, { kind: 'forward-accepted', id, index: known })
    return
  }
  const answer = append(state, lead, commands)
  if (typeof answer === 'string') {
    refuseForward(state, from, id, answer)
    return
  }
  const { index } = answer
  remember(lead, key, index)
  send(state, from, { kind: 'forward-accepted', id, index })
}

function remember(lead: Leadership, key: string, index: number): void {
  lead.seen.set(key, index)
  if (lead.seen.size <= seenMax) return
  for (const oldest of lead.seen.keys()) {
    lead.seen.delete(oldest)
    return
  }
}

export function refuseForward(state: RaftState, to: string, id: string, reason: Refusal): void {
  send(state, to, { kind: 'forward-refused', id, reason })
}

/** The entry is of the term in which the leader answered. */
export function onForwardAccepted(state: RaftState, id: string, term: number, index: number): void {
  if (state.forwarded.delete(id)) state.outbox.accepted.push({ id, term, index })
}

export function onForwardRefused(state: RaftState, id: string, reason: Refusal): void {
  if (state.forwarded.delete(id)) refuse(state, id, reason)
}

/** The leader they were sent to leads no more. */
export function loseForwarded(state: RaftState): void {
  for (const id of state.forwarded.keys()) refuse(state, id, 'lost')
  state.forwarded.clear()
}

export function expireForwarded(state: RaftState): void {
  for (const [id, deadlineMs] of state.forwarded) {
    if (deadlineMs > state.nowMs) break
    state.forwarded.delete(id)
    refuse(state, id, 'lost')
  }
}

const refusals: readonly Refusal[] = [
  'no-leader',
  'full',
  'transferring',
  'change-under-way',
  'invalid-change',
  'not-leader',
  'not-caught-up',
  'lease-unsure',
  'lost',
]

/** A newer version may refuse for a reason that this one does not know: then nothing is known. */
export function refusalOf(reason: string): Refusal {
  return refusals.find((known) => known === reason) ?? 'lost'
}
