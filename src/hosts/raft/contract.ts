/**
 * A replicated machine: the same program fed the same commands in the same order on every member, so that
 * each holds the same state. The host keeps the log, talks to the others and feeds the machine; the machine
 * must not look at clocks, chance, or the order of anything unordered.
 */
import type { ConfigurationChange, RaftStatus } from '../../protocols/raft/contract.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'

export interface ReplicatedMachine {
  /**
   * Carries out a committed command. Must not throw for any bytes: bad input is an answer, too, or the
   * members would part ways. Called once per index, in order, and again after a restart from a snapshot.
   * @returns what the proposer gets.
   */
  apply(index: number, command: Uint8Array): Uint8Array
  /**
   * A picture of the state as of now, cut into pieces of at most 256 KiB. Later commands must not show in
   * it although it is read while they are applied.
   */
  snapshot(): Iterable<Uint8Array>
  /** Replaces the state. */
  restore(pieces: readonly Uint8Array[]): void
}

export interface RaftHost extends AsyncDisposable {
  readonly id: MemberId
  /** Where the other members reach it, with the real port. */
  readonly address: string
  status(): RaftHostStatus
  /**
   * Has the command agreed on and applied, through the leader wherever that is, and returns this member's
   * machine's answer.
   * @throws {UnavailableError} no leader, or the queue is full: nothing happened.
   * @throws {OutcomeUnknownError} it may be applied, now or later: repeat it under the same session.
   */
  propose(command: Uint8Array, options: WaitOptions): Promise<Uint8Array>
  /**
   * Returns when this member's machine shows every write that had ended when this was called.
   * `lease` costs no round trip and trusts the clocks' drift bound (`RaftOptions.leaseDrift`).
   * @throws {UnavailableError} no quorum answered.
   */
  readBarrier(by: 'quorum' | 'lease', options: WaitOptions): Promise<void>
  /** Resolves when the change is committed. Errors as for `propose`. */
  change(change: ConfigurationChange, options: WaitOptions): Promise<Configuration>
  /** Resolves when `target` leads. @throws {UnavailableError} it does not within an election timeout. */
  transfer(target: MemberId, options: WaitOptions): Promise<void>
  /** Takes a snapshot now and lets the log go. @returns its index. */
  compact(): Promise<number>
  /** Calls back after each change of role, term, leader or configuration. @returns stops. */
  observe(changed: (status: RaftHostStatus) => void): () => void
  /** Ends when this member can go on no more: its disk failed, it was removed, or it was closed. */
  readonly stopped: Promise<StopReason>
  /** Hands leadership over if it has it, then stops. */
  close(): Promise<void>
}

export interface WaitOptions {
  /** 1 to 600_000. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface RaftHostStatus extends RaftStatus {
  readonly applied: number
  readonly snapshotIndex: number
  readonly logBytes: number
}

export type StopReason =
  | { readonly kind: 'closed' }
  | { readonly kind: 'removed' }
  /** What is on disk is unknown: start it again, and recovery decides. */
  | { readonly kind: 'disk'; readonly error: Error }
  /** The machine threw, or the protocol was broken: a bug, and going on could spread it. */
  | { readonly kind: 'fault'; readonly error: Error }
