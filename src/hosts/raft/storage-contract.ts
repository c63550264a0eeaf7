/**
 * Where a member keeps what it must not forget: vote and log in a write-ahead log, the state in snapshot
 * files. A write that returned is durable; one that failed leaves the disk unknown, and the member stops.
 */
import type { RaftWrite, RestoredState } from '../../protocols/raft/contract.ts'
import type { Configuration, MemberId, SnapshotMark } from '../../protocols/raft/entry.ts'

export interface RaftStorage {
  readonly restored: RestoredState
  /** Made by chance when the folder was new: a wiped disk is another disk. 1 to 64 characters. */
  readonly diskId: string
  /** Pieces of the newest whole snapshot, to restore the machine from; `undefined` if there is none. */
  readSnapshot(): Promise<StoredSnapshot | undefined>
  /**
   * Makes these writes durable together, with one sync (none if none asks for it). Calls must not overlap.
   * @throws {UnavailableError} the disk is full: nothing was written, the member may hand over and stop.
   * @throws {OutcomeUnknownError} a write or sync failed part way. The storage refuses all after it.
   */
  write(batch: readonly RaftWrite[]): Promise<void>
  /** Writes a snapshot beside the old one and puts it in its place once it is durable and checked. */
  saveSnapshot(mark: SnapshotMark, pieces: Iterable<Uint8Array>): Promise<void>
  /** Receives a snapshot piece by piece from another member; resumes after a broken link. */
  receiveSnapshot(mark: SnapshotMark): Promise<SnapshotReceiver>
  /** Whole segments of the log below this index may go. */
  compact(mark: SnapshotMark, keepFrom: number): Promise<void>
  /** After an installed snapshot: the log is what follows `mark` if it agrees there, else empty. */
  resetLog(mark: SnapshotMark): Promise<void>
  sizeBytes(): number
  close(): Promise<void>
}

export interface StoredSnapshot {
  readonly mark: SnapshotMark
  readonly sizeBytes: number
  /** The bytes at a position, at most `length`; checked against the stored checksums. */
  readAt(position: number, length: number): Promise<Uint8Array>
  /** All of it, as the machine gave it. */
  pieces(): Promise<readonly Uint8Array[]>
  close(): Promise<void>
}

export interface SnapshotReceiver {
  /** Where to go on: what is already here and whole. */
  readonly position: number
  accept(position: number, bytes: Uint8Array): Promise<void>
  /** Checks the whole and makes it durable, but not yet the member's own: see `adopt`. */
  finish(sizeBytes: number): Promise<void>
  /** Puts it in place of the member's snapshot. */
  adopt(): Promise<void>
  abandon(): Promise<void>
}

export interface RaftStorageOptions {
  /** A folder of its own. */
  readonly folder: string
  readonly id: MemberId
  /** For an empty folder: the first configuration, the same on every first member. */
  readonly bootstrap: Configuration
  /** Default 67_108_864. */
  readonly segmentBytes?: number
}
