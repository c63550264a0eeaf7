/**
 * Raft as one pure machine: it is told what happened and answers what must be written, sent and applied.
 * It never waits, reads no clock and holds no socket, so the same code runs a cluster, a million simulated
 * ones, and an exhaustive search.
 *
 * The host's side of the bargain, in three rules:
 * 1. Writes are carried out in order of `ticket`, and `written` is said only after the disk has them. If a
 *    write fails, the member stops for good: what is on disk is unknown (never retry and trust).
 * 2. A message in `sendAfter` leaves only when the write with its ticket is durable; `send` may leave at
 *    once, also in parallel with the write (thesis, 10.2.1).
 * 3. Messages may be lost, doubled, delayed and reordered; they are never changed or invented.
 *
 * Follows Ongaro & Ousterhout, "In Search of an Understandable Consensus Algorithm" (2014, extended) and
 * Ongaro's thesis (2014): pre-vote 9.6, leader stickiness 4.2.3, transfer 3.10, reads 6.4.
 */
import type { Configuration, Entry, MemberId, SnapshotMark } from './entry.ts'
import type { Message } from './message.ts'

export interface RaftOptions {
  readonly id: MemberId
  /**
   * A follower that hears nothing from a leader for this long, up to twice as long by chance, stands for
   * election. 10 to 600_000, at least 3 × `heartbeatMs`. Default 1_000.
   */
  readonly electionMs?: number
  /** Default 100. */
  readonly heartbeatMs?: number
  /** Seeds the chance in election timeouts. */
  readonly seed: number
  /** Bytes of commands in one append message, at most; one larger command goes alone. Default 1_048_576. */
  readonly messageBytesMax?: number
  /** Append messages on their way to one follower. Default 256. */
  readonly inflightMessagesMax?: number
  /** Bytes on their way to one follower. Default 16_777_216. */
  readonly inflightBytesMax?: number
  /** Bytes a leader may hold uncommitted; a proposal beyond it is refused with `full`. Default 67_108_864. */
  readonly uncommittedBytesMax?: number
  /** Reads that wait for a confirmation. Default 65_536. */
  readonly readsMax?: number
  /**
   * Share of `electionMs` by which members' monotonic clocks may disagree, for lease reads: 0 to 0.5.
   * Absent: lease reads are refused.
   */
  readonly leaseDrift?: number
}

/** What the disk held. A new member has term 0, no vote, no entries, and the first configuration at index 0. */
export interface RestoredState {
  readonly term: number
  readonly vote: MemberId | undefined
  readonly snapshot: SnapshotMark
  /** From `snapshot.index + 1` on, without a gap. */
  readonly entries: readonly Entry[]
  /** Known to be committed; may lag. At least `snapshot.index`. */
  readonly commit: number
}

export type RaftInput =
  /** Time has passed: to be said at `deadlineMs`, or any time. */
  | { readonly kind: 'time' }
  | { readonly kind: 'message'; readonly message: Message }
  /** The write with this ticket, and all before it, are durable. */
  | { readonly kind: 'written'; readonly ticket: number }
  /**
   * Commands to be agreed on. `id` names the batch in `refused` and `accepted`; unique for this member's
   * life. A follower that knows the leader forwards it.
   */
  | { readonly kind: 'propose'; readonly id: string; readonly commands: readonly Uint8Array[] }
  /** Asks for an index such that a state that has applied it shows every write that ended before. */
  | { readonly kind: 'read'; readonly id: string; readonly by: 'quorum' | 'lease' }
  /** The leader's operator asks; see `ConfigurationChange`. */
  | { readonly kind: 'change'; readonly id: string; readonly change: ConfigurationChange }
  /** Hands leadership over; proposals pause until it is done or an election timeout has passed. */
  | { readonly kind: 'transfer'; readonly id: string; readonly target: MemberId }
  /**
   * Stand for election now, without asking first (no pre-vote). For tests, and for a first member alone.
   * Nothing happens while a leader that was heard from may count on this member.
   */
  | { readonly kind: 'campaign' }
  /** The state up to `index` is durable as a snapshot: the log may forget entries up to `keepFrom - 1`. */
  | { readonly kind: 'compact'; readonly mark: SnapshotMark; readonly keepFrom: number }
  /** A snapshot from `from` (in `term`) has come whole, checked, and lies on this member's disk. */
  | {
      readonly kind: 'snapshot-received'
      readonly from: MemberId
      readonly term: number
      readonly mark: SnapshotMark
    }
  /** The host has put the state of that snapshot in place of its own, durably. */
  | { readonly kind: 'installed'; readonly index: number }
  /** How sending a snapshot went. */
  | {
      readonly kind: 'snapshot-sent'
      readonly to: MemberId
      readonly index: number
      readonly arrived: boolean
    }
  /** The link to a member broke: what was in flight may be lost. */
  | { readonly kind: 'unreachable'; readonly member: MemberId }

/**
 * `replace` names the voters and learners there shall be: any number at once, by joint consensus, left by
 * itself when its first half is committed. New voters must be learners that have caught up.
 */
export type ConfigurationChange =
  | { readonly kind: 'add-learner'; readonly member: MemberId; readonly address: string }
  | { readonly kind: 'promote'; readonly member: MemberId }
  | { readonly kind: 'remove'; readonly member: MemberId }
  | {
      readonly kind: 'replace'
      readonly voters: readonly MemberId[]
      readonly learners: readonly MemberId[]
    }

/** What a batch of inputs led to. Order within each list is the order it must be carried out in. */
export interface RaftOutputs {
  readonly write: RaftWrite | undefined
  readonly send: readonly Message[]
  readonly sendAfter: readonly { readonly ticket: number; readonly message: Message }[]
  /** Committed, to be applied once each, in order. Durable on this member, too. */
  readonly committed: readonly Entry[]
  /** Reads that may be served as soon as `index` is applied. */
  readonly reads: readonly { readonly id: string; readonly index: number }[]
  /** Where a proposal stands in the log: it is applied if the entry there, when committed, has this term. */
  readonly accepted: readonly Accepted[]
  readonly refused: readonly { readonly id: string; readonly reason: Refusal }[]
  /** Transfers and changes that are over. */
  readonly ended: readonly { readonly id: string; readonly ok: boolean }[]
  /** Send the newest snapshot to this member, out of band; then say `snapshot-sent`. */
  readonly sendSnapshot: readonly { readonly to: MemberId; readonly term: number }[]
  /**
   * Put this received snapshot in place of the state, after the write of these outputs and all before it;
   * then say `installed`. Until then nothing is committed or added to the log here; writes may come that
   * hold a new term or vote, and may be carried out before or after.
   */
  readonly install: SnapshotMark | undefined
}

export interface Accepted {
  readonly id: string
  readonly term: number
  /** Of the first command; the others follow. */
  readonly index: number
}

/**
 * Nothing happened, except for `lost`, after which it may have: a forwarded proposal of which nothing
 * more is known, or a change whose leader was deposed. A proposal once `accepted` is never refused: what
 * became of it shows in the log at its index.
 */
export type Refusal =
  | 'no-leader'
  | 'full'
  | 'transferring'
  | 'change-under-way'
  | 'invalid-change'
  | 'not-leader'
  | 'not-caught-up'
  | 'lease-unsure'
  | 'lost'

/** In one batch on disk: the vote and term first, then the log cut back to `keepUntil`, then the entries. */
export interface RaftWrite {
  readonly ticket: number
  readonly term: number
  readonly vote: MemberId | undefined
  /** A hint for a faster start: it need not be synced by itself. */
  readonly commit: number
  /** Entries after this index are void, whether or not new ones follow. */
  readonly keepUntil: number
  readonly entries: readonly Entry[]
  /** Must it be synced before `written`? `false` if only `commit` moved. */
  readonly sync: boolean
}

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader'

/** For people and for tests: where a member stands. */
export interface RaftStatus {
  readonly id: MemberId
  readonly role: Role
  readonly term: number
  readonly vote: MemberId | undefined
  readonly leader: MemberId | undefined
  readonly commit: number
  readonly firstIndex: number
  readonly lastIndex: number
  readonly lastTerm: number
  /** Durable on this member. */
  readonly durableIndex: number
  readonly configuration: Configuration
  readonly configurationIndex: number
  /** The leader's view of the others. */
  readonly followers: readonly FollowerStatus[]
}

export interface FollowerStatus {
  readonly id: MemberId
  readonly mode: 'probing' | 'replicating' | 'snapshot'
  readonly match: number
  readonly next: number
  readonly inflight: number
  /** Heard from since the last check of the quorum. */
  readonly active: boolean
}
