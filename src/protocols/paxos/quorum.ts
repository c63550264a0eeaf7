/**
 * How many must answer. Phase 1 asks what may have been chosen, phase 2 gets it chosen; it is enough that
 * every group that answers the question shares a member with every group that can choose. Majorities do,
 * and so does any pair of sizes whose sum is more than all: a large first quorum, needed only when
 * leadership changes, buys a small second one, needed for every command.
 *
 * Follows Howard, Malkhi and Spiegelman, "Flexible Paxos: Quorum Intersection Revisited" (2016).
 */
import { ConfigurationError } from '../../errors.ts'

export interface Quorums {
  /** Promises needed in phase 1. */
  readonly prepare: number
  /** Acceptances by which a value is chosen. */
  readonly accept: number
}

/**
 * Majorities, or the sizes given.
 * @throws {ConfigurationError} two quorums could miss each other, or a size cannot be met.
 */
export function quorums(members: number, sizes: Partial<Quorums> = {}): Quorums {
  const majority = Math.floor(members / 2) + 1
  const accept =
    sizes.accept ?? (sizes.prepare === undefined ? majority : members - sizes.prepare + 1)
  const prepare = sizes.prepare ?? members - accept + 1
  for (const [name, size] of Object.entries({ prepare, accept })) {
    if (Number.isSafeInteger(size) && size >= 1 && size <= members) continue
    throw new ConfigurationError(
      `the ${name} quorum is ${String(size)}; expected a whole number from 1 to ${members} members`,
      { details: { members, prepare, accept } },
    )
  }
  if (prepare + accept <= members) {
    throw new ConfigurationError(
      `a prepare quorum of ${prepare} and an accept quorum of ${accept} can miss each other among ` +
        `${members} members; their sum must be more than ${members}`,
      { details: { members, prepare, accept } },
    )
  }
  return { prepare, accept }
}
