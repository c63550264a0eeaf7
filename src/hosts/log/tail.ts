/**
 * Where a log can no longer be read, one of two things has happened. Either the power went while a group was
 * being written: then nobody was promised anything from there on, and the log ends there. Or something
 * that was promised is damaged: then going on would silently forget it, and the log must be refused.
 *
 * What lies behind the damage decides. "Anything whole" would be too strict: the sectors of an unsynced
 * group reach the disk in any order, so its last record may be whole and its first one missing. But every
 * record says how far the log was durable when it was written. If one behind the damage says that
 * the damaged place was durable, it was; if none does, nothing acknowledged is lost by ending here (save for
 * rot in the very last group, which no byte contradicts; a log that was closed ends in a mark that does).
 *
 * The idea of telling the two apart by what was written later is that of Alagappan et al., "Protocol-Aware
 * Recovery for Consensus-Based Storage" (2018), 3.3.3.
 */
import type { DiskFile } from '../../runtime/disk.ts'
import { decodeRecordHeader, type Place, recordHeaderBytes } from './format.ts'

const pieceBytes = 1_048_576

/**
 * Looks behind `from` for a record that proves `sequence` durable.
 * @returns where it stands, or `undefined`.
 */
export async function proofBehind(
  file: DiskFile,
  sizeBytes: number,
  from: Place,
  sequence: number,
): Promise<number | undefined> {
  for (let start = from.offset; start < sizeBytes; start += pieceBytes) {
    // Pieces overlap, so that a header that lies across two is seen whole.
    const piece = await file.readAt(start, Math.min(sizeBytes - start, pieceBytes + 24))
    const offset = proofIn(piece, { ...from, offset: start }, sequence)
    if (offset !== undefined) return offset
  }
  return undefined
}

function proofIn(piece: Uint8Array, place: Place, sequence: number): number | undefined {
  const view = new DataView(piece.buffer, piece.byteOffset, piece.length)
  const number = (at: number): number =>
    view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
  for (let at = 0; at + recordHeaderBytes <= piece.length; at += 8) {
    // Cheap to ask and nearly always "no"; the checksum is asked last.
    if (number(at + 24) < sequence || number(at + 16) <= sequence) continue
    const offset = place.offset + at
    const header = decodeRecordHeader(piece.subarray(at, at + recordHeaderBytes), {
      ...place,
      offset,
    })
    if (header !== undefined) return offset
  }
  return undefined
}
