/**
 * A member's whole state as plain data, so that a search can copy it, and the two things everything here
 * does with it: remember (`record`) and speak (`send`, `sendDurably`).
 */
import { type Ballot, compareBallots, type NodeId } from './ballot.ts'
import type {
  Configuration,
  DurableRecord,
  DurableState,
  Entry,
  PaxosOptions,
  PaxosOutputs,
  Snapshot,
  Value,
} from './contract.ts'
import { applyRecord, configurationAt } from './durable.ts'
import type { Message, MessageBody } from './message.ts'

export interface PaxosState {
  readonly options: Required<PaxosOptions>
  /** As it will be once all writes are done. */
  readonly durable: DurableState
  nowMs: number
  draws: number
  /** The highest round heard of. */
  seenRound: number
  leader: NodeId | undefined
  lead: Leadership | undefined
  electionAtMs: number
  /** Of a leader; also of one who waits to be admitted, or for a snapshot. */
  beatAtMs: number
  /** Ballots refused in a row. */
  refusals: number
  /** Not to be asked again before this. */
  learnAtMs: number
  download: Download | undefined
  /** Who answered that this disk may take part. */
  admittedBy: NodeId[]
  /** Removed, and waiting until the new members know what it knows. */
  isRetiring: boolean
  releasedBy: NodeId[]
  /** Of the next write. */
  ticket: number
  ticketDurable: number
  records: DurableRecord[]
  /** What this member says to itself, heard once the write with the ticket is durable. */
  own: { readonly ticket: number; readonly message: Message }[]
  out: Collected
}

/** Outputs while they are being collected. */
export type Collected = {
  -readonly [Name in keyof Omit<
    PaxosOutputs,
    'write'
  >]: PaxosOutputs[Name] extends readonly (infer Item)[] ? Item[] : PaxosOutputs[Name]
}

/** One ballot of this member's own, from the first promise to the last slot. */
export interface Leadership {
  readonly ballot: Ballot
  /** Phase 1 asks about the slots from here on. */
  readonly start: number
  /** For each member, up to which slot its promise speaks. */
  readonly promisedTo: Map<NodeId, number>
  /** Of the open slots not yet proposed: what was accepted there in the highest ballot. */
  readonly found: Map<number, Entry>
  foundTo: number
  /** Slots up to here were chosen, and somebody has only a snapshot of them: never to be proposed in. */
  floor: number
  /** When it began. */
  readonly sinceMs: number
  /** The next slot to propose in. */
  next: number
  /** Has a quorum promised? */
  hasWon: boolean
  /** Acceptances of each proposed slot that is not known to be chosen. */
  readonly votes: Map<number, NodeId[]>
  /** Proposed since the last outputs. */
  fresh: number[]
  /** Slots below this were sent a heartbeat ago: what has no vote is sent again. */
  resendTo: number
  /** Must the next outputs have a heartbeat? */
  mustBeat: boolean
  /** Of confirmations. */
  round: number
  readonly confirmed: Map<NodeId, number>
  queue: { readonly id: string; readonly value: Value }[]
  reads: Read[]
}

export interface Read {
  readonly id: string
  /** Absent while the leader does not know all that was chosen before it. */
  readonly sure?: { readonly slot: number; readonly round: number; readonly by: Configuration }
}

export interface Download {
  readonly from: NodeId
  readonly slot: number
  readonly sizeBytes: number
  readonly configurations: Snapshot['configurations']
  readonly pieces: Uint8Array[]
  position: number
}

export function emptyOutputs(): Collected {
  return {
    ...{ send: [], sendAfter: [], install: undefined, chosen: [], reads: [], refused: [] },
    ended: undefined,
  }
}

/** Changes the memory, now and on disk. */
export function record(state: PaxosState, change: DurableRecord): void {
  applyRecord(state.durable, change)
  state.records.push(change)
}

export function send(state: PaxosState, to: NodeId, body: MessageBody): void {
  if (to !== state.options.id) state.out.send.push({ from: state.options.id, to, ...body })
}

/** What is said rests on all that was recorded so far. To itself, too. */
export function sendDurably(state: PaxosState, to: NodeId, body: MessageBody): void {
  const message: Message = { from: state.options.id, to, ...body }
  const ticket = state.records.length > 0 ? state.ticket : state.ticket - 1
  if (to === state.options.id) state.own.push({ ticket, message })
  else state.out.sendAfter.push({ ticket, message })
}

/** Uniform in [0, 1): a hash of the seed and of how many draws there were. */
export function draw(state: PaxosState): number {
  let hash = Math.imul(state.options.seed ^ 0x9e3779b9, 0x85ebca6b) + state.draws++
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d)
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b)
  return ((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296
}

/** All that decide an open slot, now or soon. */
export function acceptors({ durable }: PaxosState): readonly NodeId[] {
  const all = durable.configurations.flatMap(({ configuration }) => configuration.members)
  return [...new Set(all)]
}

/** The configuration of the next slot to be chosen. */
export function current({ durable }: PaxosState): Configuration {
  return configurationAt(durable, durable.commit + 1)
}

/** A higher ballot than this member's own is about: what waits is refused, what was sent is in doubt. */
export function stepDown(state: PaxosState): void {
  const { lead } = state
  if (lead === undefined) return
  for (const { id } of [...lead.queue, ...lead.reads]) {
    state.out.refused.push({ id, reason: 'not-leader' })
  }
  state.lead = undefined
}

/** Someone else's ballot is in force here. */
export function follow(state: PaxosState, ballot: Ballot): void {
  if (state.lead !== undefined && compareBallots(ballot, state.lead.ballot) > 0) stepDown(state)
  if (state.lead === undefined) restElection(state)
}

/** Waits for a leader before standing: longer after each refusal, and by chance. */
export function restElection(state: PaxosState): void {
  const { electionMs } = state.options
  const waitMs = electionMs * 2 ** Math.min(state.refusals, 5) * (1 + draw(state))
  state.electionAtMs = state.nowMs + waitMs
}
