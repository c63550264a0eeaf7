/**
 * How entries, configurations and snapshot marks look as bytes, on disk and on the wire. Commands go in as
 * they are; each of the three forms begins with its own version, so that any of them can change alone.
 *
 * Entries are stored as runs without a gap, so an index costs nothing: an entry is its kind, its term
 * and, for a command, its length and bytes.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { type ByteReader, type ByteWriter, byteReader, byteWriter } from './bytes.ts'
import type { Configuration, Entry, MemberId, SnapshotMark } from './entry.ts'

const version = 1
const kinds = { empty: 0, command: 1, configuration: 2 } as const

/** What the stored forms allow; beyond it `encode` throws `InvalidArgumentError`. */
export const entryLimits = {
  idLengthMax: 64,
  addressLengthMax: 1_024,
  /** In each list of a configuration, but `retired`. */
  membersMax: 1_000,
  retiredMax: 1_000,
  entriesMax: 16_777_216,
} as const

/** Version, number, first index, then each. @throws {InvalidArgumentError} they leave a gap. */
export function writeEntries(writer: ByteWriter, entries: readonly Entry[]): void {
  atMost('entries', entries.length, entryLimits.entriesMax)
  writer.byte(version)
  writer.number(entries.length)
  const first = entries[0]?.index
  if (first === undefined) return
  writer.number(first)
  let expected = first
  for (const entry of entries) {
    if (entry.index !== expected) {
      throw new InvalidArgumentError(`entry ${entry.index} comes where ${expected} should`)
    }
    expected++
    writer.byte(kinds[entry.kind])
    writer.number(entry.term)
    if (entry.kind === 'command') writer.bytes(entry.data)
    if (entry.kind === 'configuration') writeConfiguration(writer, entry.configuration)
  }
}

/** The data of commands are views into the bytes being read: copy them if those are to be let go. */
export function readEntries(reader: ByteReader): Entry[] {
  reader.version('the list of entries', version)
  const count = reader.count('entries', entryLimits.entriesMax)
  if (count === 0) return []
  const first = reader.number('the first index', Number.MAX_SAFE_INTEGER - count)
  const entries: Entry[] = []
  for (let index = first; index < first + count; index++) entries.push(readEntry(reader, index))
  return entries
}

function readEntry(reader: ByteReader, index: number): Entry {
  const kind = reader.byte('the kind of an entry')
  const term = reader.number('a term')
  switch (kind) {
    case kinds.empty:
      return { kind: 'empty', term, index }
    case kinds.command:
      return { kind: 'command', term, index, data: reader.bytes('a command') }
    case kinds.configuration:
      return { kind: 'configuration', term, index, configuration: readConfiguration(reader) }
    default:
      throw reader.corrupt(`${kind} is no kind of entry`)
  }
}

/** Addresses go in the order of their ids, so that equal configurations have equal bytes. */
export function writeConfiguration(writer: ByteWriter, configuration: Configuration): void {
  const { voters, outgoing, learners, addresses, retired } = configuration
  writer.byte(version)
  for (const ids of [voters, outgoing, learners]) writeIds(writer, ids, entryLimits.membersMax)
  writeIds(writer, retired, entryLimits.retiredMax)
  const known = Object.keys(addresses).sort()
  atMost('addresses', known.length, addressesMax)
  writer.number(known.length)
  for (const id of known) {
    const address = addresses[id] ?? ''
    atMost('the length of an address', address.length, entryLimits.addressLengthMax)
    writeId(writer, id)
    writer.text(address)
  }
}

const addressesMax = 3 * entryLimits.membersMax

export function readConfiguration(reader: ByteReader): Configuration {
  reader.version('the configuration', version)
  const voters = readIds(reader, 'voters', entryLimits.membersMax)
  const outgoing = readIds(reader, 'outgoing voters', entryLimits.membersMax)
  const learners = readIds(reader, 'learners', entryLimits.membersMax)
  const retired = readIds(reader, 'retired members', entryLimits.retiredMax)
  const pairs: [MemberId, string][] = []
  for (let left = reader.count('addresses', addressesMax); left > 0; left--) {
    const id = readId(reader)
    if (pairs.length > 0 && id <= (pairs.at(-1)?.[0] ?? '')) {
      throw reader.corrupt('addresses are out of order')
    }
    pairs.push([id, reader.text('an address', entryLimits.addressLengthMax)])
  }
  return { voters, outgoing, learners, addresses: Object.fromEntries(pairs), retired }
}

export function writeMark(writer: ByteWriter, mark: SnapshotMark): void {
  writer.byte(version)
  writer.number(mark.index)
  writer.number(mark.term)
  writeConfiguration(writer, mark.configuration)
}

export function readMark(reader: ByteReader): SnapshotMark {
  reader.version('the snapshot mark', version)
  const index = reader.number('an index')
  const term = reader.number('a term')
  return { index, term, configuration: readConfiguration(reader) }
}

/** 1 to 64 characters. */
export function writeId(writer: ByteWriter, id: MemberId): void {
  if (id === '') throw new InvalidArgumentError('a member id is empty')
  atMost('the length of a member id', id.length, entryLimits.idLengthMax)
  writer.text(id)
}

export function readId(reader: ByteReader): MemberId {
  const id = reader.text('a member id', entryLimits.idLengthMax)
  if (id === '') throw reader.corrupt('a member id is empty')
  return id
}

export function encodeEntries(entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  return encoded((writer) => writeEntries(writer, entries))
}

export function decodeEntries(bytes: Uint8Array): Entry[] {
  return decoded(bytes, 'the list of entries', readEntries)
}

export function encodeConfiguration(configuration: Configuration): Uint8Array<ArrayBuffer> {
  return encoded((writer) => writeConfiguration(writer, configuration))
}

export function decodeConfiguration(bytes: Uint8Array): Configuration {
  return decoded(bytes, 'the configuration', readConfiguration)
}

export function encodeMark(mark: SnapshotMark): Uint8Array<ArrayBuffer> {
  return encoded((writer) => writeMark(writer, mark))
}

export function decodeMark(bytes: Uint8Array): SnapshotMark {
  return decoded(bytes, 'the snapshot mark', readMark)
}

function encoded(write: (writer: ByteWriter) => void): Uint8Array<ArrayBuffer> {
  const writer = byteWriter()
  write(writer)
  return writer.take()
}

function decoded<Value>(
  bytes: Uint8Array,
  subject: string,
  read: (reader: ByteReader) => Value,
): Value {
  const reader = byteReader(bytes)
  const value = read(reader)
  reader.end(subject)
  return value
}

function writeIds(writer: ByteWriter, ids: readonly MemberId[], max: number): void {
  atMost('members', ids.length, max)
  writer.number(ids.length)
  for (const id of ids) writeId(writer, id)
}

function readIds(reader: ByteReader, subject: string, max: number): MemberId[] {
  return Array.from({ length: reader.count(subject, max) }, () => readId(reader))
}

function atMost(subject: string, value: number, max: number): void {
  if (value > max) throw new InvalidArgumentError(`${subject}: ${value}; expected at most ${max}`)
}
