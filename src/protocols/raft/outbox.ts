/**
 * What goes out, and in which order with the disk. A message says what it rests on: nothing, this member's
 * term and vote, or its log, too; `drain` turns that into the ticket of the write that must be durable first.
 */
import type { RaftOutputs, RaftWrite, Refusal } from './contract.ts'
import type { MemberId } from './entry.ts'
import { entriesBetween, lastIndexOf } from './log.ts'
import type { Message, MessageBody } from './message.ts'
import type { Needs, Outbox, RaftState } from './state.ts'

export function emptyOutbox(): Outbox {
  return {
    messages: [],
    reads: [],
    accepted: [],
    refused: [],
    ended: [],
    sendSnapshot: [],
    install: undefined,
  }
}

export function send(
  state: RaftState,
  to: MemberId,
  body: MessageBody,
  needs: Needs = 'nothing',
  term: number = state.term,
): void {
  const message: Message = { from: state.settings.id, to, term, ...body }
  state.outbox.messages.push({ message, needs })
}

/**
 * One answer stands for many: of the appends taken in one turn, the last good one says it all. Its round
 * must be the largest, since the others' rounds are answered by it, too.
 */
export function sendAccepted(state: RaftState, to: MemberId, index: number, round: number): void {
  const { messages } = state.outbox
  const last = messages[messages.length - 1]?.message
  let newest = { index, round }
  if (
    last?.kind === 'append-reply' &&
    last.accepted &&
    last.to === to &&
    last.term === state.term
  ) {
    newest = { index: Math.max(index, last.index), round: Math.max(round, last.round) }
    messages.pop()
  }
  const body = { kind: 'append-reply', accepted: true, hintIndex: 0, hintTerm: 0 } as const
  send(state, to, { ...body, ...newest }, 'log')
}

export function refuse(state: RaftState, id: string, reason: Refusal): void {
  state.outbox.refused.push({ id, reason })
}

const nothing: RaftOutputs = Object.freeze({
  write: undefined,
  send: [],
  sendAfter: [],
  committed: [],
  reads: [],
  accepted: [],
  refused: [],
  ended: [],
  sendSnapshot: [],
  install: undefined,
})

/** Empties the outbox. Cheap when there is nothing in it. */
export function drain(state: RaftState): RaftOutputs {
  const { outbox } = state
  const write = nextWrite(state)
  const committed = nextCommitted(state)
  if (write === undefined && committed.length === 0 && isEmpty(outbox)) return nothing
  const outputs: RaftOutputs = {
    write,
    ...sortMessages(state),
    committed,
    reads: outbox.reads.splice(0),
    accepted: outbox.accepted.splice(0),
    refused: outbox.refused.splice(0),
    ended: outbox.ended.splice(0),
    sendSnapshot: outbox.sendSnapshot.splice(0),
    install: outbox.install,
  }
  outbox.install = undefined
  return outputs
}

function isEmpty(outbox: Outbox): boolean {
  return (
    outbox.messages.length === 0 &&
    outbox.reads.length === 0 &&
    outbox.accepted.length === 0 &&
    outbox.refused.length === 0 &&
    outbox.ended.length === 0 &&
    outbox.sendSnapshot.length === 0 &&
    outbox.install === undefined
  )
}

function sortMessages(state: RaftState): Pick<RaftOutputs, 'send' | 'sendAfter'> {
  const { disk, log, outbox } = state
  const now: Message[] = []
  const after: { ticket: number; message: Message }[] = []
  for (const { message, needs } of outbox.messages) {
    const behind = message.kind === 'append-reply' && message.index > log.durable
    const ticket = needs === 'log' && behind ? disk.ticket : disk.ballotTicket
    if (needs === 'nothing' || ticket <= disk.written) now.push(message)
    else after.push({ ticket, message })
  }
  outbox.messages.length = 0
  return { send: now, sendAfter: after }
}

function nextWrite(state: RaftState): RaftWrite | undefined {
  const { disk, log } = state
  const last = lastIndexOf(log)
  const grows = last > log.taken
  const sync = grows || disk.ballotDue || log.cutDue
  if (!sync && !(disk.commitDue && disk.commit < state.commit)) return undefined
  const ticket = ++disk.ticket
  const entries = grows ? entriesBetween(log, log.taken + 1, last) : []
  // While a snapshot is being put in place the log takes no entries, and a new vote may be written before or
  // after it: this cut is right both ways.
  const keepUntil = grows ? log.taken : Math.max(log.taken, state.installing?.index ?? 0)
  if (grows) log.taken = last
  if (disk.ballotDue) disk.ballotTicket = ticket
  log.writes.push({ ticket, lastIndex: log.taken })
  log.cutDue = false
  disk.ballotDue = false
  disk.commitDue = false
  disk.commit = state.commit
  const { term, vote, commit } = state
  return { ticket, term, vote, commit, keepUntil, entries, sync }
}

function nextCommitted(state: RaftState): RaftOutputs['committed'] {
  // While a snapshot is being put in place, the state behind the log is not to be touched.
  if (state.installing !== undefined) return []
  const upTo = Math.min(state.commit, state.log.durable)
  if (upTo <= state.emitted) return []
  const committed = entriesBetween(state.log, state.emitted + 1, upTo)
  state.emitted = upTo
  return committed
}
