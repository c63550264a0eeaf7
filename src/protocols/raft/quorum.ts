/**
 * Majorities, of one set of voters or, while membership changes, of the old and the new set both. Every
 * question that a quorum answers is asked in one form: "up to which value does a majority stand?".
 */
import type { Configuration, MemberId } from './entry.ts'

/**
 * The largest value that a majority of each half has reached, by what `reached` says of each voter.
 * Without voters nothing is reached: `-Infinity`.
 */
export function quorumValue(
  configuration: Configuration,
  reached: (member: MemberId) => number,
): number {
  const incoming = majorityValue(configuration.voters, reached)
  if (configuration.outgoing.length === 0) return incoming
  return Math.min(incoming, majorityValue(configuration.outgoing, reached))
}

/** Has a majority of each half said yes? */
export function quorumOf(
  configuration: Configuration,
  yes: (member: MemberId) => boolean,
): boolean {
  return quorumValue(configuration, (member) => (yes(member) ? 1 : 0)) === 1
}

function majorityValue(voters: readonly MemberId[], reached: (member: MemberId) => number): number {
  // Groups are small: three and five get no sorting at all in the common case of one or two voters.
  const [first, second] = voters
  if (first === undefined) return -Infinity
  if (second === undefined) return reached(first)
  const values = voters.map(reached).sort((left, right) => right - left)
  return values[voters.length >> 1] ?? -Infinity
}

export function isVoter(configuration: Configuration, member: MemberId): boolean {
  return configuration.voters.includes(member) || configuration.outgoing.includes(member)
}

export function isMember(configuration: Configuration, member: MemberId): boolean {
  return isVoter(configuration, member) || configuration.learners.includes(member)
}

/** Voters of both halves and learners, each once. */
export function membersOf(configuration: Configuration): readonly MemberId[] {
  const { voters, outgoing, learners } = configuration
  return outgoing.length === 0 && learners.length === 0
    ? voters
    : [...new Set([...voters, ...outgoing, ...learners])]
}
