/**
 * What stands in the log's records, version 1: a write as the protocol decided it; a reset, when another
 * member's snapshot took the place of all before; and the opening of a segment, which says again what
 * would be forgotten with the segments before it, the vote above all.
 */

import {
  type ByteReader,
  type ByteWriter,
  byteReader,
  byteWriter,
} from '../../protocols/raft/bytes.ts'
import type { RaftWrite } from '../../protocols/raft/contract.ts'
import type { Entry, MemberId } from '../../protocols/raft/entry.ts'
import { readEntries, readId, writeEntries, writeId } from '../../protocols/raft/entry-codec.ts'

export type StoredRecord = OpeningRecord | WriteRecord | ResetRecord

export interface OpeningRecord {
  readonly kind: 'opening'
  readonly term: number
  readonly vote: MemberId | undefined
  readonly commit: number
  readonly lastIndex: number
  readonly lastTerm: number
}

export interface WriteRecord
  extends Pick<RaftWrite, 'term' | 'vote' | 'commit' | 'keepUntil' | 'entries'> {
  readonly kind: 'write'
}

export interface ResetRecord {
  readonly kind: 'reset'
  readonly index: number
  readonly term: number
}

const version = 1
const kinds = ['opening', 'write', 'reset'] as const
/** A record ends once it has so many bytes of commands: what is read at a start comes in bites. */
const recordBytesMax = 4_194_304

/** As several records if it is long. Any number of the first ones is a write that was meant. */
export function encodeWrite(write: RaftWrite): Uint8Array[] {
  const records: Uint8Array[] = []
  let { keepUntil } = write
  let run: Entry[] = []
  let size = 0
  const put = (): void => {
    records.push(encodeRecord({ ...write, kind: 'write', keepUntil, entries: run }, size))
    keepUntil += run.length
    run = []
    size = 0
  }
  for (const entry of write.entries) {
    run.push(entry)
    size += 16 + (entry.kind === 'command' ? entry.data.length : 0)
    if (size >= recordBytesMax) put()
  }
  if (run.length > 0 || records.length === 0) put()
  return records
}

export function encodeRecord(record: StoredRecord, sizeHint = 0): Uint8Array {
  const writer = byteWriter(sizeHint + 128)
  writer.byte(version)
  writer.byte(kinds.indexOf(record.kind))
  switch (record.kind) {
    case 'opening':
      writeBallot(writer, record)
      writer.number(record.lastIndex)
      writer.number(record.lastTerm)
      break
    case 'write':
      writeBallot(writer, record)
      writer.number(record.keepUntil)
      writeEntries(writer, record.entries)
      break
    case 'reset':
      writer.number(record.index)
      writer.number(record.term)
      break
  }
  return writer.take()
}

/** @throws {CorruptDataError} @throws {FormatTooNewError} */
export function decodeRecord(bytes: Uint8Array): StoredRecord {
  const reader = byteReader(bytes)
  reader.version('a record of the log', version)
  const record = readRecord(reader)
  reader.end('a record of the log')
  return record
}

function readRecord(reader: ByteReader): StoredRecord {
  const kind = kinds[reader.byte('the kind of a record')]
  switch (kind) {
    case 'opening': {
      const ballot = readBallot(reader)
      const lastIndex = reader.number('the last index')
      return { kind, ...ballot, lastIndex, lastTerm: reader.number('the last term') }
    }
    case 'write': {
      const ballot = readBallot(reader)
      const keepUntil = reader.number('where the log is cut')
      return { kind, ...ballot, keepUntil, entries: readEntries(reader) }
    }
    case 'reset':
      return { kind, index: reader.number('an index'), term: reader.number('a term') }
    default:
      throw reader.corrupt('this is no kind of record')
  }
}

type Ballot = Pick<OpeningRecord, 'term' | 'vote' | 'commit'>

function writeBallot(writer: ByteWriter, { term, vote, commit }: Ballot): void {
  writer.number(term)
  writer.byte(vote === undefined ? 0 : 1)
  if (vote !== undefined) writeId(writer, vote)
  writer.number(commit)
}

function readBallot(reader: ByteReader): Ballot {
  const term = reader.number('a term')
  const voted = reader.byte('whether there is a vote')
  if (voted > 1) throw reader.corrupt(`${voted} is neither yes nor no`)
  const vote = voted === 1 ? readId(reader) : undefined
  return { term, vote, commit: reader.number('the commit index') }
}
