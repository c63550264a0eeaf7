/**
 * Finding out what was chosen. A leader says how far it is; what this member accepted in that very ballot
 * is then known to be chosen, for a ballot has one value per slot. For the rest it asks, and gets the
 * chosen values, or a snapshot if they are gone.
 *
 * A chosen value keeps the highest ballot it was seen under. If it took a lower one, a new leader might
 * weigh it below a value that lost.
 */
import { type Ballot, compareBallots, type NodeId, sameBallot } from './ballot.ts'
import type { PlacedEntry, Snapshot } from './contract.ts'
import { sameValue, sizeOf } from './durable.ts'
import type { Message } from './message.ts'
import { checkPlace } from './retiring.ts'
import { type PaxosState, record, restElection, send, stepDown } from './state.ts'

/** The next slot is chosen, and its value is here. */
export function commitNext(state: PaxosState): void {
  const slot = state.durable.commit + 1
  const { configurations } = state.durable
  record(state, { kind: 'commit', slot })
  const value = state.durable.entries.get(slot)?.value
  if (value !== undefined) state.out.chosen.push({ slot, value })
  if (configurations !== state.durable.configurations) checkPlace(state)
}

/** The leader of `ballot` knows all slots up to `commit` to be chosen. */
export function learnCommit(state: PaxosState, from: NodeId, ballot: Ballot, commit: number): void {
  const { durable } = state
  while (durable.commit < commit) {
    const next = durable.entries.get(durable.commit + 1)
    if (next === undefined || !sameBallot(next.ballot, ballot)) break
    commitNext(state)
  }
  if (durable.commit < commit) askToLearn(state, from)
}

/** Asks once per heartbeat at most. */
export function askToLearn(state: PaxosState, from: NodeId): void {
  if (state.nowMs < state.learnAtMs || state.download !== undefined) return
  state.learnAtMs = state.nowMs + state.options.heartbeatMs
  send(state, from, { kind: 'learn', start: state.durable.commit + 1 })
}

/** Tells what was chosen from `start` on, as much as one message may have. */
export function teach(state: PaxosState, to: NodeId, start: number): void {
  const { durable, options } = state
  if (start < durable.firstSlot) {
    sendPiece(state, to, 0)
    return
  }
  const entries: PlacedEntry[] = []
  let bytes = 0
  for (let slot = start; slot <= durable.commit; slot++) {
    const entry = durable.entries.get(slot)
    if (entry === undefined) break
    bytes += sizeOf(entry.value)
    if (bytes > options.messageBytesMax && entries.length > 0) break
    entries.push({ slot, ...entry })
  }
  if (entries.length > 0) send(state, to, { kind: 'learned', entries, commit: durable.commit })
}

export function onLearned(state: PaxosState, message: Message & { kind: 'learned' }): void {
  const { durable } = state
  for (const entry of message.entries) {
    if (entry.slot !== durable.commit + 1) continue
    takeChosen(state, entry)
    commitNext(state)
  }
  state.download = undefined
  state.learnAtMs = state.nowMs
  if (durable.commit < message.commit) askToLearn(state, message.from)
  const { lead } = state
  if (lead === undefined || compareBallots(durable.promised, lead.ballot) <= 0) return
  stepDown(state)
  restElection(state)
}

function takeChosen(state: PaxosState, { slot, ballot, value }: PlacedEntry): void {
  const known = state.durable.entries.get(slot)
  if (known === undefined || compareBallots(known.ballot, ballot) < 0) {
    record(state, { kind: 'accept', slot, ballot, value })
  } else if (!sameValue(known.value, value)) {
    throw new Error(`two values for slot ${slot}: the disks of a quorum cannot be trusted`)
  }
}

export function sendPiece(state: PaxosState, to: NodeId, position: number): void {
  const { snapshot } = state.durable
  if (snapshot === undefined) return
  const { slot, configurations } = snapshot
  const sizeBytes = snapshot.state.length
  const bytes = snapshot.state.slice(position, position + state.options.messageBytesMax)
  const piece = { slot, position, sizeBytes, bytes, configurations }
  send(state, to, { kind: 'snapshot-piece', ...piece })
}

/** A newer snapshot than the one asked for begins anew. */
export function onSnapshotAsk(
  state: PaxosState,
  { from, slot, position }: Message & { kind: 'snapshot-ask' },
): void {
  sendPiece(state, from, state.durable.snapshot?.slot === slot ? position : 0)
}

export function onSnapshotPiece(
  state: PaxosState,
  message: Message & { kind: 'snapshot-piece' },
): void {
  const { from, slot, sizeBytes, configurations, bytes, position } = message
  if (slot <= state.durable.commit) return
  if (state.download?.slot !== slot || state.download.from !== from) {
    if (position !== 0) return
    state.download = { from, slot, sizeBytes, configurations, pieces: [], position: 0 }
  }
  const { download } = state
  if (position !== download.position) return
  download.pieces.push(bytes)
  download.position += bytes.length
  state.learnAtMs = state.nowMs + state.options.heartbeatMs
  if (download.position < sizeBytes) {
    askForPiece(state)
  } else {
    state.download = undefined
    install(state, { slot, configurations, state: joined(download.pieces) })
  }
}

/** Goes on where the download stands. */
export function askForPiece(state: PaxosState): void {
  const { download } = state
  if (download === undefined) return
  const { from, slot, position } = download
  send(state, from, { kind: 'snapshot-ask', slot, position })
}

function install(state: PaxosState, snapshot: Snapshot): void {
  record(state, { kind: 'snapshot', snapshot, keepFrom: snapshot.slot + 1 })
  state.out.install = snapshot
  // What was to be applied before it is in it.
  state.out.chosen = []
  const { lead } = state
  for (const slot of lead?.votes.keys() ?? []) if (slot <= snapshot.slot) lead?.votes.delete(slot)
  checkPlace(state)
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let position = 0
  for (const piece of pieces) {
    bytes.set(piece, position)
    position += piece.length
  }
  return bytes
}
