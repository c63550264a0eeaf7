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
   * @throws {InvalidArgumentError} the entries leave a gap: nothing was written.
   */
  write(batch: readonly RaftWrite[]): Promise<void>
  /**
   * Writes a snapshot beside the old one and puts it in its place once it is durable and checked. One that
   * is not newer than the last is ignored.
   * @throws {UnavailableError} the old one is still in place. @throws {OutcomeUnknownError} either is.
   */
  saveSnapshot(mark: SnapshotMark, pieces: Iterable<Uint8Array>): Promise<void>
  /**
   * Receives a snapshot piece by piece from another member. Asked again with the same mark, it goes on
   * where the last one stopped, and that one is over; with another mark it begins anew.
   */
  receiveSnapshot(mark: SnapshotMark): Promise<SnapshotReceiver>
  /**
   * Whole segments of the log below `keepFrom` may go.
   * @throws {InvalidArgumentError} no snapshot at `mark` or later is in place, or `keepFrom` is behind it.
   */
  compact(mark: SnapshotMark, keepFrom: number): Promise<void>
  /** After an installed snapshot: the log is what follows `mark` if it agrees there, else empty. */
  resetLog(mark: SnapshotMark): Promise<void>
  /** Of the log, on disk. */
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
  /** @throws {CorruptDataError} it does not fit to what is here: all of it is dropped, begin anew. */
  accept(position: number, bytes: Uint8Array): Promise<void>
  /**
   * Checks the whole and makes it durable, but not yet the member's own: see `adopt`.
   * @throws {CorruptDataError} it is dropped.
   */
  finish(sizeBytes: number): Promise<void>
  /**
   * Puts it in place of the member's snapshot, and the log behind it as for `resetLog`: both or neither,
   * whenever a crash comes. An older one than the member has is dropped.
   */
  adopt(): Promise<void>
  /** Drops what is here. A broken link is no reason to: see `receiveSnapshot`. */
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
