/**
 * What the members agree on: one list of entries, each at its index, each marked with the term of the
 * leader who wrote it. Two lists that have an entry of the same index and term are the same up to there;
 * everything in Raft rests on that.
 *
 * Terms and indexes are whole numbers below 2^53: at a million entries a second that lasts 285 years.
 */

/** Names one member and its disk, 1 to 64 characters, never given to another: see `Configuration.retired`. */
export type MemberId = string

export type Entry =
  /** The first entry of each term. Only an entry of its own term lets a leader commit (paper, 5.4.2). */
  | { readonly kind: 'empty'; readonly term: number; readonly index: number }
  | {
      readonly kind: 'command'
      readonly term: number
      readonly index: number
      readonly data: Uint8Array
    }
  | {
      readonly kind: 'configuration'
      readonly term: number
      readonly index: number
      readonly configuration: Configuration
    }

/**
 * Who decides. It counts from the moment it is in the log, committed or not, and goes back when the log
 * does (thesis, 4.1). While `outgoing` is not empty, both majorities are needed: joint consensus.
 */
export interface Configuration {
  readonly voters: readonly MemberId[]
  /** The voters before the change that is under way; empty when none is. */
  readonly outgoing: readonly MemberId[]
  /** They get all entries and count for nothing. */
  readonly learners: readonly MemberId[]
  /** Where each member is reached, opaque to the protocol. */
  readonly addresses: Readonly<Record<MemberId, string>>
  /** Ids that were members once and may never be again; the last 1_000. */
  readonly retired: readonly MemberId[]
}

/** The place up to which a log has been replaced by a picture of the state. */
export interface SnapshotMark {
  readonly index: number
  readonly term: number
  /** In force at `index`. */
  readonly configuration: Configuration
}
