/**
 * Who wants something chosen. It first asks a quorum what may have been chosen already, and if anything may
 * have been, helps to choose that instead of its own wish: so a later ballot can only confirm an earlier
 * choice, never undo it.
 */
import { type Ballot, compareBallots, type NodeId, sameBallot } from './ballot.ts'
import type { Quorums } from './quorum.ts'
import type { Acceptance, Answer, Proposal } from './single-decree.ts'

export interface Proposer<Value> {
  readonly id: NodeId
  readonly quorums: Quorums
  /** What it asks for if nothing may have been chosen. */
  readonly wish: Value
  /** Durable: no ballot of this round or an earlier one is ever begun again. */
  readonly round: number
  readonly phase: Phase<Value>
  /** The highest round heard of: the next ballot goes above it. */
  readonly seenRound: number
}

export type Phase<Value> =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'preparing'
      readonly ballot: Ballot
      readonly promises: readonly Promised<Value>[]
    }
  | { readonly kind: 'accepting'; readonly ballot: Ballot; readonly value: Value }

/** A promise that came. */
export interface Promised<Value> {
  readonly from: NodeId
  readonly accepted: Acceptance<Value> | undefined
}

export interface ProposerStep<Value> {
  readonly proposer: Proposer<Value>
  /** Must `round` be durable before `send` leaves? To every acceptor. */
  readonly persist: boolean
  readonly send: Proposal<Value> | undefined
}

/** @param round the round on disk, 0 for a new one. */
export function proposer<Value>(
  id: NodeId,
  quorums: Quorums,
  wish: Value,
  round: number,
): Proposer<Value> {
  return { id, quorums, wish, round, phase: { kind: 'idle' }, seenRound: round }
}

/** Begins a new ballot, above all heard of. Whoever was refused waits first: see `backoffMs`. */
export function prepare<Value>(state: Proposer<Value>): ProposerStep<Value> {
  const round = Math.max(state.round, state.seenRound) + 1
  const ballot: Ballot = { round, node: state.id }
  return {
    proposer: {
      ...state,
      round,
      seenRound: round,
      phase: { kind: 'preparing', ballot, promises: [] },
    },
    persist: true,
    send: { kind: 'prepare', ballot },
  }
}

export function proposerStep<Value>(
  state: Proposer<Value>,
  message: Answer<Value>,
): ProposerStep<Value> {
  const { phase } = state
  const nothing: ProposerStep<Value> = { proposer: state, persist: false, send: undefined }
  if (phase.kind === 'idle' || !sameBallot(message.ballot, phase.ballot)) return nothing
  if (message.kind === 'refused') {
    const seenRound = Math.max(state.seenRound, message.promised.round)
    return { ...nothing, proposer: { ...state, seenRound, phase: { kind: 'idle' } } }
  }
  if (message.kind !== 'promise' || phase.kind !== 'preparing') return nothing
  if (phase.promises.some(({ from }) => from === message.from)) return nothing
  const promises = [...phase.promises, { from: message.from, accepted: message.accepted }]
  const { ballot } = phase
  if (promises.length < state.quorums.prepare) {
    return { ...nothing, proposer: { ...state, phase: { kind: 'preparing', ballot, promises } } }
  }
  const value = highest(promises.map(({ accepted }) => accepted))?.value ?? state.wish
  return {
    proposer: { ...state, phase: { kind: 'accepting', ballot, value } },
    persist: false,
    send: { kind: 'accept', ballot, value },
  }
}

/** The heart of Paxos: of all that a quorum accepted, only that of the highest ballot can be chosen. */
export function highest<Value>(
  acceptances: readonly (Acceptance<Value> | undefined)[],
): Acceptance<Value> | undefined {
  let found: Acceptance<Value> | undefined
  for (const one of acceptances) {
    if (one === undefined) continue
    if (found === undefined || compareBallots(one.ballot, found.ballot) > 0) found = one
  }
  return found
}

/**
 * Two proposers that keep outbidding each other get nothing chosen, for ever. Each waits longer after every
 * refusal, by chance, so that one gets through.
 * @param refusals in a row, from 0.
 * @param chance uniform in [0, 1).
 */
export function backoffMs(baseMs: number, refusals: number, chance: number): number {
  return baseMs * 2 ** Math.min(refusals, 5) * (1 + chance)
}
