/**
 * What a segment file looks like, version 1. All numbers are little-endian.
 *
 *   header, 64 bytes   magic 8 | version 4 | chain 4 | log id 16 | segment 8 | first sequence 8 | 0… 12 | crc 4
 *   record, 32 bytes   crc 4 | crc of the payload 4 | kind and length 4 | chain 4 | sequence 8 | durable 8
 *   and its payload    filled up with zeros to a multiple of 8
 *
 * A record can be believed for four reasons. Its checksum is that of its bytes and of the place where it
 * stands (log, segment, offset), so a copy of it elsewhere, even inside another record's payload, is
 * none. Its sequence is the one expected. `chain` is the checksum of the record before it, so what was
 * left over from an abandoned future does not fit. And `durable` says which records were safely on
 * disk when this one was written: that is what tells a torn tail from damage, see `tail.ts`.
 */
import { FormatTooNewError } from '../../errors.ts'
import { crc32c } from './checksum.ts'

export const formatVersion = 1
export const segmentHeaderBytes = 64
export const recordHeaderBytes = 32
/** 2^28 - 1: the length shares 32 bits with the kind. */
export const payloadBytesMax = 268_435_455

/**
 * `opening`: the first record of a segment, which says all that must be known of the segments before.
 * `data`: as appended. `mark`: empty; only its `durable` counts.
 */
export type RecordKind = 'opening' | 'data' | 'mark'

export interface SegmentHeader {
  readonly segment: number
  readonly firstSequence: number
  readonly chain: number
}

export interface RecordHeader {
  readonly kind: RecordKind
  readonly length: number
  readonly sequence: number
  /** Every record up to this sequence was durable when this one was written. */
  readonly durable: number
  /** The checksum of the record before this one. */
  readonly chain: number
  /** This record's own checksum. */
  readonly crc: number
  readonly payloadCrc: number
}

/** Where a record stands. Its checksum is of this, too. */
export interface Place {
  /** 16 bytes. */
  readonly logId: Uint8Array
  readonly segment: number
  readonly offset: number
}

const magic = new TextEncoder().encode('HOLDFLOG')
const kinds: readonly RecordKind[] = ['opening', 'data', 'mark']
const lengthLimit = payloadBytesMax + 1

export function encodeSegmentHeader(
  header: SegmentHeader,
  logId: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(segmentHeaderBytes)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  view.setUint32(8, formatVersion, true)
  view.setUint32(12, header.chain, true)
  bytes.set(logId, 16)
  setNumber(view, 32, header.segment)
  setNumber(view, 40, header.firstSequence)
  view.setUint32(60, crc32c(bytes.subarray(0, 60)), true)
  return bytes
}

/**
 * @returns `undefined` if these are not the bytes of a header, whole and of this log.
 * @throws {FormatTooNewError}
 */
export function decodeSegmentHeader(
  bytes: Uint8Array,
  logId: Uint8Array,
): SegmentHeader | undefined {
  if (bytes.length < segmentHeaderBytes) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(60, true) !== crc32c(bytes.subarray(0, 60))) return undefined
  if (!equal(bytes.subarray(0, 8), magic)) return undefined
  const version = view.getUint32(8, true)
  if (version > formatVersion) {
    throw new FormatTooNewError(`the log has format ${version}; this code knows ${formatVersion}`)
  }
  if (!equal(bytes.subarray(16, 32), logId)) return undefined
  return {
    segment: getNumber(view, 32),
    firstSequence: getNumber(view, 40),
    chain: view.getUint32(12, true),
  }
}

/** What a record takes on disk. */
export function recordBytes(payloadLength: number): number {
  return recordHeaderBytes + Math.ceil(payloadLength / 8) * 8
}

/** Writes a record at a position of `target`, which must be zeros there. @returns its checksum. */
export function encodeRecord(
  target: Uint8Array,
  position: number,
  header: Pick<RecordHeader, 'kind' | 'sequence' | 'durable' | 'chain'>,
  payload: Uint8Array,
  place: Place,
): number {
  const bytes = target.subarray(position, position + recordHeaderBytes)
  const view = viewOf(bytes)
  view.setUint32(4, crc32c(payload), true)
  view.setUint32(8, kinds.indexOf(header.kind) * lengthLimit + payload.length, true)
  view.setUint32(12, header.chain, true)
  setNumber(view, 16, header.sequence)
  setNumber(view, 24, header.durable)
  const crc = checksumAt(bytes, place)
  view.setUint32(0, crc, true)
  target.set(payload, position + recordHeaderBytes)
  return crc
}

/** @returns `undefined` if no record was ever written at this place in this form. */
export function decodeRecordHeader(bytes: Uint8Array, place: Place): RecordHeader | undefined {
  if (bytes.length < recordHeaderBytes) return undefined
  const view = viewOf(bytes)
  const crc = view.getUint32(0, true)
  const kindAndLength = view.getUint32(8, true)
  const kind = kinds[Math.floor(kindAndLength / lengthLimit)]
  if (kind === undefined || crc !== checksumAt(bytes, place)) return undefined
  return {
    kind,
    length: kindAndLength % lengthLimit,
    sequence: getNumber(view, 16),
    durable: getNumber(view, 24),
    chain: view.getUint32(12, true),
    crc,
    payloadCrc: view.getUint32(4, true),
  }
}

const seeds = new WeakMap<Uint8Array, number>()
const placeBytes = new Uint8Array(16)
const placeView = new DataView(placeBytes.buffer)

function checksumAt(bytes: Uint8Array, place: Place): number {
  let seed = seeds.get(place.logId)
  if (seed === undefined) {
    seed = crc32c(place.logId)
    seeds.set(place.logId, seed)
  }
  setNumber(placeView, 0, place.segment)
  setNumber(placeView, 8, place.offset)
  return crc32c(bytes.subarray(4, recordHeaderBytes), crc32c(placeBytes, seed))
}

/** Whole numbers below 2^53 in 64 bits. */
function setNumber(view: DataView, position: number, value: number): void {
  view.setUint32(position, value % 2 ** 32, true)
  view.setUint32(position + 4, Math.floor(value / 2 ** 32), true)
}

function getNumber(view: DataView, position: number): number {
  return view.getUint32(position, true) + view.getUint32(position + 4, true) * 2 ** 32
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
