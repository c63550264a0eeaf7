/**
 * Paxos's words as bytes: a format number, then JSON, with byte strings in base64. Plain rather than
 * small, so that a log or a packet can be read by people.
 */
import { CorruptDataError, FormatTooNewError } from '../../errors.ts'
import type { DurableState } from '../../protocols/paxos/contract.ts'

const format = 1
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function encode(value: unknown): Uint8Array {
  const text = encoder.encode(JSON.stringify(value, packed))
  const bytes = new Uint8Array(text.length + 1)
  bytes[0] = format
  bytes.set(text, 1)
  return bytes
}

/**
 * What `encode` was given; who calls knows what that was.
 * @throws {FormatTooNewError} @throws {CorruptDataError} it is nothing that `encode` made.
 */
export function decode<Value>(bytes: Uint8Array): Value {
  const [first = 0] = bytes
  if (first > format) {
    throw new FormatTooNewError(`the bytes have format ${first}; this code knows ${format}`)
  }
  try {
    if (first !== format) throw new Error(`format ${first}`)
    return JSON.parse(decoder.decode(bytes.subarray(1)), unpacked)
  } catch (cause) {
    throw new CorruptDataError('the bytes are no message and no record', { cause })
  }
}

// One property, of a name that nothing here has.
const mark = '$bytes'

function packed(_: string, value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value
  let text = ''
  for (const byte of value) text += String.fromCharCode(byte)
  return { [mark]: btoa(text) }
}

function unpacked(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(mark in value)) return value
  const text = atob(String(value[mark]))
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** All that a member must not forget, in one piece. */
export function encodeState(state: DurableState): Uint8Array {
  return encode({ ...state, peers: [...state.peers], entries: [...state.entries] })
}

/** @throws {FormatTooNewError} @throws {CorruptDataError} */
export function decodeState(bytes: Uint8Array): DurableState {
  type Packed = Omit<DurableState, 'peers' | 'entries'> & {
    readonly peers: [string, string][]
    readonly entries: [number, NonNullable<ReturnType<DurableState['entries']['get']>>][]
  }
  const { peers, entries, ...rest } = decode<Packed>(bytes)
  // JSON leaves out what is undefined.
  return { ...rest, snapshot: rest.snapshot, peers: new Map(peers), entries: new Map(entries) }
}
