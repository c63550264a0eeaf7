/**
 * What members say to each other, as bytes. Sender and receiver are not in them: a link belongs to two
 * members who said at its beginning who they are, so nobody can speak for a third.
 *
 * The protocol's version is agreed on per link; a change of these bytes is a new version, and the writer
 * keeps the last one until no member needs it.
 */
import {
  type ByteReader,
  type ByteWriter,
  byteReader,
  byteWriter,
} from '../../protocols/raft/bytes.ts'
import type { MemberId } from '../../protocols/raft/entry.ts'
import { readEntries, writeEntries } from '../../protocols/raft/entry-codec.ts'
import type { Message, MessageBody } from '../../protocols/raft/message.ts'

/** The versions of the protocol that this code speaks. */
export const protocolVersions: { readonly min: number; readonly max: number } = { min: 1, max: 1 }

const kinds = [
  'vote',
  'vote-reply',
  'append',
  'append-reply',
  'heartbeat',
  'heartbeat-reply',
  'timeout-now',
  'forward',
  'forward-accepted',
  'forward-refused',
  'read',
  'read-reply',
  'read-refused',
] as const satisfies readonly MessageBody['kind'][]

const idLengthMax = 128
const reasonLengthMax = 64
const commandsMax = 65_536
const messagesMax = 65_536

/** Several messages that leave together, in order. */
export function encodeMessages(messages: readonly Message[]): Uint8Array<ArrayBuffer> {
  const writer = byteWriter(64 + messages.reduce((bytes, message) => bytes + roughSize(message), 0))
  writer.number(messages.length)
  for (const message of messages) writeMessage(writer, message)
  return writer.take()
}

/**
 * Commands are views into `bytes`.
 * @throws {CorruptDataError} not what `encodeMessages` makes.
 */
export function decodeMessages(bytes: Uint8Array, from: MemberId, to: MemberId): Message[] {
  const reader = byteReader(bytes)
  const count = reader.count('messages', messagesMax)
  const messages: Message[] = []
  for (let left = count; left > 0; left--) messages.push(readMessage(reader, from, to))
  reader.end('the last message')
  return messages
}

/** Near enough for queues and buffers. */
export function roughSize(message: Message): number {
  let bytes = 48
  if (message.kind === 'append') {
    for (const entry of message.entries) {
      bytes += entry.kind === 'command' ? 12 + entry.data.length : 256
    }
  } else if (message.kind === 'forward') {
    for (const command of message.commands) bytes += 4 + command.length
  }
  return bytes
}

function writeMessage(writer: ByteWriter, message: Message): void {
  writer.byte(kinds.indexOf(message.kind))
  writer.number(message.term)
  switch (message.kind) {
    case 'vote':
      writer.byte(flags(message.pre, message.transfer))
      writer.number(message.lastIndex)
      writer.number(message.lastTerm)
      return
    case 'vote-reply':
      writer.byte(flags(message.pre, message.granted))
      return
    case 'append':
      writer.number(message.prevIndex)
      writer.number(message.prevTerm)
      writer.number(message.commit)
      writer.number(message.round)
      writeEntries(writer, message.entries)
      return
    case 'append-reply':
      writer.byte(flags(message.accepted, false))
      writer.number(message.index)
      writer.number(message.hintIndex)
      writer.number(message.hintTerm)
      writer.number(message.round)
      return
    case 'heartbeat':
      writer.number(message.commit)
      writer.number(message.round)
      return
    case 'heartbeat-reply':
      writer.number(message.round)
      return
    case 'timeout-now':
      return
    default:
      writeErrand(writer, message)
  }
}

/** What a follower asks of its leader, and is told. */
function writeErrand(writer: ByteWriter, message: Extract<Message, { readonly id: string }>): void {
  writer.text(message.id)
  switch (message.kind) {
    case 'forward':
      writer.number(message.commands.length)
      for (const command of message.commands) writer.bytes(command)
      return
    case 'forward-accepted':
    case 'read-reply':
      writer.number(message.index)
      return
    case 'forward-refused':
    case 'read-refused':
      writer.text(message.reason)
      return
    case 'read':
      writer.byte(flags(message.by === 'lease', false))
  }
}

function readMessage(reader: ByteReader, from: MemberId, to: MemberId): Message {
  const code = reader.byte('the kind of a message')
  const kind = kinds[code]
  if (kind === undefined) throw reader.corrupt(`${code} is no kind of message`)
  const term = reader.number('a term')
  return { from, to, term, ...readBody(reader, kind) }
}

function readBody(reader: ByteReader, kind: MessageBody['kind']): MessageBody {
  switch (kind) {
    case 'vote': {
      const [pre, transfer] = readFlags(reader)
      const lastIndex = reader.number('an index')
      return { kind, pre, lastIndex, lastTerm: reader.number('a term'), transfer }
    }
    case 'vote-reply': {
      const [pre, granted] = readFlags(reader)
      return { kind, pre, granted }
    }
    case 'append': {
      const prevIndex = reader.number('an index')
      const prevTerm = reader.number('a term')
      const commit = reader.number('an index')
      const round = reader.number('a round')
      const entries = readEntries(reader)
      const [first] = entries
      if (first !== undefined && first.index !== prevIndex + 1) {
        throw reader.corrupt('entries do not follow the place they are said to')
      }
      return { kind, prevIndex, prevTerm, entries, commit, round }
    }
    case 'append-reply': {
      const [accepted] = readFlags(reader)
      const index = reader.number('an index')
      const hintIndex = reader.number('an index')
      const hintTerm = reader.number('a term')
      return { kind, accepted, index, hintIndex, hintTerm, round: reader.number('a round') }
    }
    case 'heartbeat': {
      const commit = reader.number('an index')
      return { kind, commit, round: reader.number('a round') }
    }
    case 'heartbeat-reply':
      return { kind, round: reader.number('a round') }
    case 'timeout-now':
      return { kind }
    default:
      return readErrand(reader, kind)
  }
}

function readErrand(
  reader: ByteReader,
  kind: Extract<MessageBody, { readonly id: string }>['kind'],
): MessageBody {
  const id = reader.text('an id', idLengthMax)
  switch (kind) {
    case 'forward': {
      const count = reader.count('commands', commandsMax)
      const commands = Array.from({ length: count }, () => reader.bytes('a command'))
      return { kind, id, commands }
    }
    case 'forward-accepted':
    case 'read-reply':
      return { kind, id, index: reader.number('an index') }
    case 'forward-refused':
    case 'read-refused':
      return { kind, id, reason: reader.text('a reason', reasonLengthMax) }
    case 'read': {
      const [lease] = readFlags(reader)
      return { kind, id, by: lease ? 'lease' : 'quorum' }
    }
  }
}

function flags(first: boolean, second: boolean): number {
  return (first ? 1 : 0) | (second ? 2 : 0)
}

function readFlags(reader: ByteReader): readonly [boolean, boolean] {
  const value = reader.byte('flags')
  if (value > 3) throw reader.corrupt(`${value} is no set of flags`)
  return [(value & 1) !== 0, (value & 2) !== 0]
}
