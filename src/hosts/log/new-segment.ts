/**
 * A segment comes into being whole: its header and its opening in one write, synced, and its name too, before
 * the first record is appended. A crash in between leaves a file in which nothing was ever promised.
 */
import { OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { Disk, DiskFile } from '../../runtime/disk.ts'
import { encodeRecord, encodeSegmentHeader, recordBytes, segmentHeaderBytes } from './format.ts'

/** What is known of the end of a log. */
export interface Tail {
  readonly segment: number
  readonly file: DiskFile
  /** Behind the opening: a segment that ends here is empty. */
  readonly start: number
  readonly position: number
  /** Of the next record. */
  readonly sequence: number
  /** The checksum of the last one. */
  readonly chain: number
}

export interface NewSegment {
  readonly folder: string
  readonly logId: Uint8Array
  readonly segment: number
  /** Of the record after the last segment's. */
  readonly sequence: number
  readonly chain: number
  readonly opening: Uint8Array
}

/**
 * @throws {UnavailableError} no space: there is no such segment.
 * @throws {OutcomeUnknownError} there may be one.
 */
export async function newSegment(disk: Disk, wanted: NewSegment): Promise<Tail> {
  const { folder, segment } = wanted
  const path = segmentPath(folder, segment)
  const file = await disk.open(path, 'create')
  const { bytes, chain } = firstBytes(wanted)
  try {
    await file.truncate(0)
    await file.writeAt(0, bytes)
  } catch (cause) {
    await discard(disk, folder, path, file)
    throw new UnavailableError(`${folder}: no new segment could be made`, { cause })
  }
  try {
    await file.sync()
    await disk.syncDirectory(folder)
  } catch (cause) {
    await file.close()
    throw new OutcomeUnknownError(`${path} may or may not be durable`, { cause })
  }
  const start = bytes.length
  return { segment, file, start, position: start, sequence: wanted.sequence + 1, chain }
}

function firstBytes(wanted: NewSegment): { readonly bytes: Uint8Array; readonly chain: number } {
  const { logId, segment, sequence, chain, opening } = wanted
  const offset = segmentHeaderBytes
  const bytes = new Uint8Array(offset + recordBytes(opening.length))
  bytes.set(encodeSegmentHeader({ segment, firstSequence: sequence, chain }, logId))
  // The segment before was synced to its last byte.
  const fields = { kind: 'opening', sequence, durable: sequence - 1, chain } as const
  const place = { logId, segment, offset }
  return { bytes, chain: encodeRecord(bytes, offset, fields, opening, place) }
}

async function discard(disk: Disk, folder: string, path: string, file: DiskFile): Promise<void> {
  try {
    await file.close()
    await disk.remove(path)
    await disk.syncDirectory(folder)
  } catch (cause) {
    throw new OutcomeUnknownError(`${path}: an unfinished segment stayed behind`, { cause })
  }
}

export function segmentPath(folder: string, segment: number): string {
  return `${folder}/${String(segment).padStart(16, '0')}.log`
}
