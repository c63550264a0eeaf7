/**
 * All that one member knows, as plain data: it can be copied, compared and hashed, and nothing hides in a
 * closure. What only a leader needs lives under `lead` and is gone when it stops leading.
 */
import type { Accepted, Refusal, Role } from './contract.ts'
import type { Configuration, MemberId, SnapshotMark } from './entry.ts'
import type { Log } from './log.ts'
import type { Message } from './message.ts'
import type { Settings } from './settings.ts'

export interface RaftState {
  readonly settings: Settings
  /** The host's monotonic clock, as of the last input. */
  nowMs: number
  /** See chance.ts. */
  chance: number
  term: number
  vote: MemberId | undefined
  role: Role
  /** Of this term. */
  leader: MemberId | undefined
  readonly log: Log
  commit: number
  /** Handed out to be applied. */
  emitted: number
  /** Those in the log, oldest first; the last is in force. Never empty. */
  readonly configurations: PlacedConfiguration[]
  /** A member that is no leader stands for election then. */
  electionAtMs: number
  /**
   * Until then this member votes for nobody, because a leader it answered may count on that (thesis,
   * 4.2.3 and 6.4.1). It outlives the leader's term, and a restart starts it anew.
   */
  stickyUntilMs: number
  /** Answers to this member's own candidacy. */
  readonly votes: Map<MemberId, boolean>
  /** This candidacy was asked for by the leader. */
  handedOver: boolean
  lead: Leadership | undefined
  transfer: Transfer | undefined
  /** Proposals sent to the leader, and when they count as lost. */
  readonly forwarded: Map<string, number>
  /** Reads asked of the leader, and when they are given up. */
  readonly asked: Map<string, number>
  /** This received snapshot is being put in place; until then the log takes nothing. */
  installing: SnapshotMark | undefined
  readonly disk: DiskView
  readonly outbox: Outbox
}

export interface PlacedConfiguration {
  readonly index: number
  readonly configuration: Configuration
}

/** What was handed out to be written, and what came back. */
export interface DiskView {
  /** The last one given out. */
  ticket: number
  /** The last one confirmed. */
  written: number
  /** The last one that held a new term or vote. */
  ballotTicket: number
  /** Term or vote changed since. */
  ballotDue: boolean
  commit: number
  commitDue: boolean
}

/** When a message may leave: at once, when term and vote are durable, or when the log is, too. */
export type Needs = 'nothing' | 'ballot' | 'log'

export interface Outbox {
  readonly messages: { message: Message; readonly needs: Needs }[]
  readonly reads: { readonly id: string; readonly index: number }[]
  readonly accepted: Accepted[]
  readonly refused: { readonly id: string; readonly reason: Refusal }[]
  readonly ended: { readonly id: string; readonly ok: boolean }[]
  readonly sendSnapshot: { readonly to: MemberId; readonly term: number }[]
  install: SnapshotMark | undefined
}

export interface Leadership {
  readonly followers: Map<MemberId, Progress>
  /** The index of this term's first entry. Until it is committed no read is answered. */
  readonly startIndex: number
  /** The last round sent. A reply repeats the round it answers. */
  round: number
  /** When rounds were sent; the last is `round`. The oldest are dropped, which only costs lease. */
  readonly sentMs: number[]
  /** The next `take` begins a new round. */
  roundDue: boolean
  heartbeatAtMs: number
  quorumCheckAtMs: number
  /** The commit index as of the last heartbeat: who has it is not far behind. */
  commitAtHeartbeat: number
  uncommittedBytes: number
  /** In order of `round`. */
  readonly reads: WaitingRead[]
  /** They came before an entry of this term was committed. */
  readonly earlyReads: { readonly id: string; readonly from: MemberId }[]
  /** The change under way was asked for by this id. */
  change: string | undefined
  /** A member was asked to stand for election at once: in this term no lease can be trusted any more. */
  leaseGone: boolean
  /** Proposals that came from others, by sender and id, so that a doubled message appends nothing. */
  readonly seen: Map<string, number>
  /** Something happened after which a follower may be sent something. */
  sendDue: boolean
  /** Members that were removed: they are told so, as far as one message goes, and dropped. */
  farewellDue: boolean
}

export interface WaitingRead {
  readonly id: string
  /** Who asked; the leader itself, too. */
  readonly from: MemberId
  readonly index: number
  /** It may be answered when a quorum has answered this round. */
  readonly round: number
}

/** What the leader believes about one other member. Invariant: match < next. */
export interface Progress {
  readonly id: MemberId
  mode: 'probing' | 'replicating' | 'snapshot'
  /** Known to agree with the leader's log up to here, durably. */
  match: number
  /** The next entry to send. */
  next: number
  /** Appends on their way, oldest first. */
  readonly inflight: { readonly lastIndex: number; readonly bytes: number }[]
  inflightBytes: number
  /** Probing: one message is out, and no more follow until an answer or the next heartbeat's. */
  waiting: boolean
  /** An append without entries is due, to find out whether something was lost. */
  nudgeDue: boolean
  /** Heard from since the last check of the quorum. */
  active: boolean
  /** The last round it answered, and when the leader had sent that. */
  round: number
  roundSentMs: number
  /** The last commit index it was sent. */
  commitSent: number
}

export interface Transfer {
  readonly id: string
  readonly target: MemberId
  /** Led until then, the leader goes on leading. */
  readonly deadlineMs: number
  asked: boolean
}
