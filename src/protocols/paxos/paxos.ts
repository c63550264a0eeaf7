/**
 * The member as a whole: every input goes to the part that knows it, then the leader, if it is one, does
 * what has become possible. `take` turns what was collected into one write and few messages, so that a
 * hundred proposals of one turn make one message per member and one sync.
 */
import { askForAdmission, onAdmit, onAdmitReply } from './admission.ts'
import { onChange } from './changing.ts'
import type { DurableState, PaxosInput, PaxosOptions, PaxosStatus } from './contract.ts'
import { campaign, onAccepted, onPromise, onRefused, proposeNext } from './leading.ts'
import {
  askForPiece,
  askToLearn,
  onLearned,
  onSnapshotAsk,
  onSnapshotPiece,
  teach,
} from './learning.ts'
import type { Message } from './message.ts'
import { repeat } from './outputs.ts'
import { onHeartbeatReply, onRead, settleReads } from './reading.ts'
import { onAccept, onHeartbeat, onPrepare } from './remembering.ts'
import { checkPlace, onLeave, onReleased, takeLeave } from './retiring.ts'
import { current, emptyOutputs, type PaxosState, record, restElection } from './state.ts'

export { take } from './outputs.ts'
export type { PaxosState } from './state.ts'

/** @param durable what the disk held; the machine's state and what was chosen after it come as outputs. */
export function paxos(options: PaxosOptions, durable: DurableState, nowMs: number): PaxosState {
  const defaults = { electionMs: 1_000, heartbeatMs: 100, queueMax: 1_024, readsMax: 1_024 }
  const state: PaxosState = {
    options: { ...defaults, messageBytesMax: 32_768, ...options },
    durable,
    ...{ nowMs, draws: 0, seenRound: Math.max(durable.round, durable.promised.round) },
    ...{ leader: undefined, lead: undefined, electionAtMs: 0, beatAtMs: nowMs, refusals: 0 },
    ...{ learnAtMs: nowMs, download: undefined, admittedBy: [] },
    ...{ isRetiring: false, releasedBy: [] },
    ...{ ticket: 1, ticketDurable: 0, records: [], own: [], out: emptyOutputs() },
  }
  restElection(state)
  checkPlace(state)
  state.out.install = durable.snapshot
  for (let slot = (durable.snapshot?.slot ?? 0) + 1; slot <= durable.commit; slot++) {
    const value = durable.entries.get(slot)?.value
    if (value !== undefined) state.out.chosen.push({ slot, value })
  }
  return state
}

/** Changes `state`. `nowMs` is the host's monotonic clock. */
export function step(state: PaxosState, input: PaxosInput, nowMs: number): void {
  state.nowMs = Math.max(state.nowMs, nowMs)
  switch (input.kind) {
    case 'time':
      onTime(state)
      break
    case 'message':
      onMessage(state, input.message)
      break
    case 'written':
      state.ticketDurable = Math.max(state.ticketDurable, input.ticket)
      break
    case 'propose':
      onPropose(state, input.id, input.data)
      break
    case 'read':
      onRead(state, input.id)
      break
    case 'change':
      onChange(state, input.id, input.change)
      break
    case 'snapshot':
      onSnapshot(state, input.state, input.keep)
      break
    case 'campaign':
      campaign(state)
  }
  do proposeNext(state)
  while (hearItself(state))
  settleReads(state)
}

/** @returns whether it had said anything to itself. */
function hearItself(state: PaxosState): boolean {
  const [first] = state.own
  if (first === undefined || first.ticket > state.ticketDurable) return false
  state.own.shift()
  onMessage(state, first.message)
  return true
}

function onMessage(state: PaxosState, message: Message): void {
  if (message.to !== state.options.id) return
  if ('ballot' in message) state.seenRound = Math.max(state.seenRound, message.ballot.round)
  switch (message.kind) {
    case 'prepare':
      onPrepare(state, message)
      break
    case 'promise':
      onPromise(state, message)
      break
    case 'refused':
      onRefused(state, message)
      break
    case 'accept':
      onAccept(state, message)
      break
    case 'accepted':
      onAccepted(state, message)
      break
    case 'heartbeat':
      onHeartbeat(state, message)
      break
    case 'heartbeat-reply':
      onHeartbeatReply(state, message)
      break
    case 'learn':
      teach(state, message.from, message.start)
      break
    case 'learned':
      onLearned(state, message)
      break
    case 'snapshot-ask':
      onSnapshotAsk(state, message)
      break
    case 'snapshot-piece':
      onSnapshotPiece(state, message)
      break
    case 'leave':
      onLeave(state, message, askToLearn)
      break
    case 'released':
      onReleased(state, message)
      break
    case 'admit':
      onAdmit(state, message)
      break
    case 'admit-reply':
      onAdmitReply(state, message)
  }
}

function onPropose(state: PaxosState, id: string, data: Uint8Array): void {
  const { lead, options } = state
  if (lead === undefined || !lead.hasWon) state.out.refused.push({ id, reason: 'not-leader' })
  else if (lead.queue.length >= options.queueMax) state.out.refused.push({ id, reason: 'full' })
  else lead.queue.push({ id, value: { kind: 'command', data } })
}

function onSnapshot(state: PaxosState, bytes: Uint8Array, keep: number): void {
  const { commit, configurations, firstSlot } = state.durable
  if (state.out.chosen.length > 0) throw new Error('a snapshot of a state that is not up to date')
  if (commit === 0) return
  const keepFrom = Math.max(firstSlot, commit - keep + 1)
  const snapshot = { slot: commit, configurations, state: bytes }
  record(state, { kind: 'snapshot', snapshot, keepFrom })
}

function onTime(state: PaxosState): void {
  const { nowMs, options, durable, lead } = state
  if (nowMs >= state.beatAtMs) {
    state.beatAtMs = nowMs + options.heartbeatMs
    if (!durable.admitted) askForAdmission(state)
    if (state.isRetiring) takeLeave(state)
    if (state.download !== undefined && nowMs >= state.learnAtMs) askForPiece(state)
    if (state.download !== undefined && nowMs >= state.learnAtMs + 2 * options.electionMs) {
      // Its sender is gone.
      state.download = undefined
    }
    if (lead !== undefined) repeat(state, lead)
  }
  if (lead === undefined && nowMs >= state.electionAtMs) {
    restElection(state)
    campaign(state)
  }
  // What it needs to learn is out of reach; another quorum may know it.
  const isStuck = lead !== undefined && lead.floor > durable.commit
  if (isStuck && nowMs >= lead.sinceMs + 2 * options.electionMs) campaign(state)
}

/** When to say `time`, on the clock of `nowMs`. */
export function deadlineMs({
  durable,
  lead,
  download,
  beatAtMs,
  electionAtMs,
}: PaxosState): number {
  const beats = lead !== undefined || download !== undefined || !durable.admitted
  const electionMs = lead === undefined ? electionAtMs : Number.POSITIVE_INFINITY
  return Math.min(beats ? beatAtMs : Number.POSITIVE_INFINITY, electionMs)
}

export function status(state: PaxosState): PaxosStatus {
  const { durable, lead, leader, options } = state
  const { promised, commit, firstSlot, entries, configurations } = durable
  const role = lead === undefined ? 'follower' : lead.hasWon ? 'leader' : 'preparing'
  return {
    id: options.id,
    role: durable.admitted ? role : 'waiting',
    ...{ leader, promised, commit, firstSlot },
    lastSlot: Math.max(commit, ...entries.keys()),
    configuration: current(state),
    isChanging: configurations.length > 1,
  }
}
