/**
 * Who finds out. A value is chosen when a quorum has accepted it in one and the same ballot. Acceptances of
 * different ballots do not add up, even of the same value: each of them may have been overtaken.
 */
import { type Ballot, type NodeId, sameBallot } from './ballot.ts'
import type { Quorums } from './quorum.ts'
import type { Answer } from './single-decree.ts'

export interface Learner<Value> {
  readonly quorums: Quorums
  readonly tallies: readonly Tally<Value>[]
  readonly chosen: { readonly value: Value } | undefined
}

export interface Tally<Value> {
  readonly ballot: Ballot
  readonly value: Value
  readonly from: readonly NodeId[]
}

export function learner<Value>(quorums: Quorums): Learner<Value> {
  return { quorums, tallies: [], chosen: undefined }
}

export function learnerStep<Value>(state: Learner<Value>, message: Answer<Value>): Learner<Value> {
  if (message.kind !== 'accepted' || state.chosen !== undefined) return state
  const { ballot, value, from } = message
  const known = state.tallies.find((one) => sameBallot(one.ballot, ballot))
  if (known?.from.includes(from)) return state
  const tally = { ballot, value, from: [...(known?.from ?? []), from] }
  // Once it is chosen, how it came to be is of no interest.
  if (tally.from.length >= state.quorums.accept) return { ...state, tallies: [], chosen: { value } }
  return { ...state, tallies: [...state.tallies.filter((one) => one !== known), tally] }
}
