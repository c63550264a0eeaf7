/**
 * Reads one segment from its beginning, a large piece at a time, and stops at the first thing that is not the
 * record expected there. What that means is judged elsewhere.
 */
import type { DiskFile } from '../../runtime/disk.ts'
import { crc32c } from './checksum.ts'
import {
  decodeRecordHeader,
  decodeSegmentHeader,
  type RecordHeader,
  recordBytes,
  recordHeaderBytes,
  type SegmentHeader,
  segmentHeaderBytes,
} from './format.ts'

export interface SegmentReader {
  readonly segment: number
  /** `undefined` if it is not whole, or another's. */
  readonly header: SegmentHeader | undefined
  readonly sizeBytes: number
  /** @returns `undefined` at the end of what can be believed. */
  next(): Promise<ReadRecord | undefined>
  /** Where `next` will read: after the last record. */
  position(): number
  /** What `chain` of the next record must be, and its sequence. */
  expected(): Expected
}

export interface ReadRecord {
  readonly header: RecordHeader
  readonly payload: Uint8Array
  readonly position: number
}

export interface Expected {
  readonly sequence: number
  readonly chain: number
}

const pieceBytes = 1_048_576

export async function segmentReader(
  file: DiskFile,
  logId: Uint8Array,
  segment: number,
): Promise<SegmentReader> {
  const sizeBytes = await file.sizeBytes()
  const window = slidingWindow(file, sizeBytes)
  const header = decodeSegmentHeader(await window.at(0, segmentHeaderBytes), logId)
  let position = segmentHeaderBytes
  let sequence = header?.firstSequence ?? 0
  let chain = header?.chain ?? 0

  return {
    segment,
    header: header?.segment === segment ? header : undefined,
    sizeBytes,
    position: () => position,
    expected: () => ({ sequence, chain }),
    async next() {
      const place = { logId, segment, offset: position }
      const found = decodeRecordHeader(await window.at(position, recordHeaderBytes), place)
      if (found === undefined || found.sequence !== sequence || found.chain !== chain) return
      if (found.length > sizeBytes - position - recordHeaderBytes) return undefined
      const payload = await window.at(position + recordHeaderBytes, found.length)
      if (payload.length < found.length || crc32c(payload) !== found.payloadCrc) return undefined
      const record = { header: found, payload, position }
      position += recordBytes(found.length)
      sequence++
      chain = found.crc
      return record
    },
  }
}

export interface SlidingWindow {
  /** The bytes there; fewer only at the end of the file. */
  at(position: number, length: number): Promise<Uint8Array>
}

export function slidingWindow(file: DiskFile, sizeBytes: number): SlidingWindow {
  let start = 0
  let held: Uint8Array = new Uint8Array(0)
  return {
    async at(position, length) {
      const wanted = Math.max(0, Math.min(length, sizeBytes - position))
      if (position < start || position + wanted > start + held.length) {
        const most = Math.max(0, sizeBytes - position)
        held = await file.readAt(position, Math.min(most, Math.max(wanted, pieceBytes)))
        start = position
      }
      return held.subarray(position - start, position - start + wanted)
    },
  }
}
