/**
 * A ballot is an attempt to get something chosen: numbered, so that attempts have an order, and signed with
 * the node's name, so that no two nodes ever make the same one. All of Paxos's safety is in what may be
 * said after hearing of a higher ballot.
 *
 * Rounds are whole numbers below 2^53.
 */

/** Names one member and its disk, 1 to 64 characters. A name whose disk is lost is never used again. */
export type NodeId = string

export interface Ballot {
  readonly round: number
  readonly node: NodeId
}

/** Below all real ballots. */
export const noBallot: Ballot = { round: 0, node: '' }

/** Negative if `one` is the lower: by round, then by name. */
export function compareBallots(one: Ballot, other: Ballot): number {
  if (one.round !== other.round) return one.round - other.round
  return one.node < other.node ? -1 : one.node > other.node ? 1 : 0
}

export function sameBallot(one: Ballot, other: Ballot): boolean {
  return one.round === other.round && one.node === other.node
}

export function higherBallot(one: Ballot, other: Ballot): Ballot {
  return compareBallots(one, other) < 0 ? other : one
}
