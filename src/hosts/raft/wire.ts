/**
 * How two members begin to talk, and how a snapshot travels. Every frame is a length of four bytes, a kind
 * and a body. Who dials sends a hello; who listens answers with a welcome or a refusal, and only then is
 * anything else said. Messages flow from the dialler to the listener alone: each member dials each other.
 */
import { byteReader, byteWriter } from '../../protocols/raft/bytes.ts'
import type { MemberId, SnapshotMark } from '../../protocols/raft/entry.ts'
import {
  entryLimits,
  readId,
  readMark,
  writeId,
  writeMark,
} from '../../protocols/raft/entry-codec.ts'
import { type PeerRefusal, peerRefusals } from './peer-error.ts'

export const frameKinds = {
  hello: 1,
  welcome: 2,
  refusal: 3,
  messages: 4,
  /** Asks for a pong, to find out that nobody is there any more. */
  ping: 5,
  pong: 6,
  snapshotOffer: 7,
  snapshotWanted: 8,
  snapshotPiece: 9,
  snapshotEnd: 10,
  snapshotDone: 11,
} as const

/** Before the welcome nobody is trusted with more. */
export const greetingBytesMax: number = 8_192
export const frameBytesMax: number = 33_554_432
/** A piece of a snapshot on the wire. */
export const pieceBytes: number = 131_072

export type Purpose = 'log' | 'snapshot'

export interface Hello {
  /** Protocol versions that the dialler speaks. */
  readonly min: number
  readonly max: number
  readonly clusterId: string
  readonly from: MemberId
  readonly to: MemberId
  /** Where the dialler itself is reached. */
  readonly address: string
  readonly diskId: string
  readonly purpose: Purpose
}

export interface Welcome {
  readonly version: number
  readonly diskId: string
}

export interface SnapshotOffer {
  readonly term: number
  readonly mark: SnapshotMark
  readonly sizeBytes: number
}

// `HFR` and the version of the greeting itself, which must be understood before anything is agreed on.
const magic = [0x48, 0x46, 0x52, 1] as const

export function encodeHello(hello: Hello): Uint8Array {
  const writer = byteWriter()
  for (const byte of magic) writer.byte(byte)
  writer.number(hello.min)
  writer.number(hello.max)
  writer.text(hello.clusterId)
  writeId(writer, hello.from)
  writeId(writer, hello.to)
  writer.text(hello.address)
  writer.text(hello.diskId)
  writer.byte(hello.purpose === 'log' ? 0 : 1)
  return writer.take()
}

/** @throws {CorruptDataError} */
export function decodeHello(bytes: Uint8Array): Hello {
  const reader = byteReader(bytes)
  for (const byte of magic) {
    if (reader.byte('the greeting') !== byte) throw reader.corrupt('this is no member')
  }
  const min = reader.number('a version', 1_000)
  const max = reader.number('a version', 1_000)
  const clusterId = reader.text('the cluster', 128)
  const from = readId(reader)
  const to = readId(reader)
  const address = reader.text('an address', entryLimits.addressLengthMax)
  const diskId = reader.text('a disk id', 64)
  const code = reader.byte('the purpose')
  if (code > 1) throw reader.corrupt(`${code} is no purpose`)
  reader.end('the hello')
  const purpose = code === 0 ? 'log' : 'snapshot'
  return { min, max, clusterId, from, to, address, diskId, purpose }
}

export function encodeWelcome({ version, diskId }: Welcome): Uint8Array {
  const writer = byteWriter()
  writer.number(version)
  writer.text(diskId)
  return writer.take()
}

export function decodeWelcome(bytes: Uint8Array): Welcome {
  const reader = byteReader(bytes)
  const version = reader.number('a version', 1_000)
  const diskId = reader.text('a disk id', 64)
  reader.end('the welcome')
  return { version, diskId }
}

export function encodeRefusal(reason: PeerRefusal): Uint8Array {
  return Uint8Array.of(peerRefusals.indexOf(reason))
}

/** A reason that a newer member gives and this one does not know counts as `busy`: try again later. */
export function decodeRefusal(bytes: Uint8Array): PeerRefusal {
  return peerRefusals[bytes[0] ?? 255] ?? 'busy'
}

export function encodeOffer({ term, mark, sizeBytes }: SnapshotOffer): Uint8Array {
  const writer = byteWriter()
  writer.number(term)
  writer.number(sizeBytes)
  writeMark(writer, mark)
  return writer.take()
}

export function decodeOffer(bytes: Uint8Array): SnapshotOffer {
  const reader = byteReader(bytes)
  const term = reader.number('a term')
  const sizeBytes = reader.number('a size')
  const mark = readMark(reader)
  reader.end('the offer')
  return { term, mark, sizeBytes }
}

export function encodePiece(position: number, bytes: Uint8Array): Uint8Array {
  const writer = byteWriter(bytes.length + 16)
  writer.number(position)
  writer.bytes(bytes)
  return writer.take()
}

export function decodePiece(bytes: Uint8Array): {
  readonly position: number
  readonly bytes: Uint8Array
} {
  const reader = byteReader(bytes)
  const position = reader.number('a position')
  const piece = reader.bytes('a piece')
  reader.end('the piece')
  return { position, bytes: piece }
}

/** For frames whose body is one whole number. */
export function encodeNumber(value: number): Uint8Array {
  const writer = byteWriter(16)
  writer.number(value)
  return writer.take()
}

export function decodeNumber(bytes: Uint8Array): number {
  const reader = byteReader(bytes)
  const value = reader.number('a number')
  reader.end('the number')
  return value
}
