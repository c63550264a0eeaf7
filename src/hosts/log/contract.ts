/**
 * A write-ahead log: records that are either safely in a row on disk or not there at all. It is the ground
 * under everything that must not forget. Records go in at the end in groups, one sync a group; the past
 * goes away from the front, in whole segments.
 *
 * Guaranteed, on a disk that tells the truth about `sync`: a record whose `append` returned is there after
 * any crash, with all before it and nothing between. A record that was never appended never is. What was
 * appended and not acknowledged may be there, but only as the end of the log without a gap.
 * Damage that a crash cannot explain is refused, never repaired: see `tail.ts`.
 *
 * Not guaranteed: that rot of the very last group is told from a torn write, until something was written
 * after it or the log was closed. Nor a second process in the same folder: that must be kept out elsewhere.
 */

export interface WriteAheadLog {
  /**
   * Adds records at the end, and with `sync` makes them, and all before them, durable by one sync. Without,
   * they are there if the process dies and maybe not if the machine does.
   * Calls are carried out one after the other.
   * @throws {UnavailableError} no space: nothing was written, and the log may go on; or it has failed
   * before, or is closed.
   * @throws {OutcomeUnknownError} a write or sync failed. Only opening the log anew can tell what is
   * there; this one takes nothing more.
   */
  append(records: readonly Uint8Array[], options: { readonly sync: boolean }): Promise<void>
  /** The segment being written. */
  segment(): number
  /** Removes the segments below this number; never the one being written. */
  removeBefore(segment: number): Promise<void>
  /** Of all segments, on disk. */
  sizeBytes(): number
  /** Puts a mark at the end that proves the last group durable. Safe to repeat. */
  close(): Promise<void>
}

export interface LogOptions {
  /** A folder of its own. It is made if need be. */
  readonly folder: string
  /** 32 hex digits. Files of another log are refused as damage. */
  readonly logId: string
  /** A segment that would grow past this is followed by the next. 4_096 to 2^40; default 67_108_864. */
  readonly segmentBytes?: number
  /** `true`: refuse to begin a new log, because there has been one. */
  readonly mustExist: boolean
  /**
   * The first record of each new segment: whatever must be known when all segments before it are gone.
   * Called when all that was acknowledged, and nothing else, has been `replay`ed or appended.
   */
  opening(): Uint8Array
  /** Is told every record, in order, before `openLog` returns. The payload may be kept. */
  replay(record: ReplayedRecord): void
}

export interface ReplayedRecord {
  readonly kind: 'opening' | 'data'
  readonly payload: Uint8Array
  readonly segment: number
}
