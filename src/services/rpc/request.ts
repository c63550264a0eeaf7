/**
 * What a request says before its payload: which procedure, how much time is left, and who asks for the
 * how-manieth time. Time travels as a remaining duration, because two clocks are never compared.
 *
 *   remainingMs u32 │ flags u8 │ attempt u8 │ service version u16
 *   route length u8, route │ call id length u8, call id │ headers length u16, headers JSON │ payload
 */
import { InvalidArgumentError } from '../../errors.ts'
import { takeBytes } from './byte-pool.ts'
import { RpcProtocolError } from './rpc-error.ts'
import { decodeText, readU32, writeU32 } from './wire.ts'

export type Headers = Readonly<Record<string, string>>

export interface RequestHead {
  /** `service/procedure`. */
  readonly route: string
  readonly version: number
  /** 1 to 4_294_967_295. */
  readonly remainingMs: number
  /** 1 for the first attempt. */
  readonly attempt: number
  readonly callId: string
  /** The caller chose the id on purpose: it is an idempotency key. */
  readonly keyed: boolean
  readonly headers: Headers
}

export interface Request extends RequestHead {
  readonly payload: Uint8Array
}

export const headersBytesMax = 8_192
export const callIdBytesMax = 255

const fixedBytes = 8
const keyedFlag = 1
const noHeaders: Headers = {}
const encoder = new TextEncoder()
const empty = new Uint8Array(0)

/** Routes are few and repeat, so their bytes are made once, by `routeBytes`. */
export function routeBytes(route: string): Uint8Array {
  return encoder.encode(route)
}

/** @throws {InvalidArgumentError} headers or call id too long. */
export function encodeHeaders(headers: Headers | undefined): Uint8Array {
  if (headers === undefined) return empty
  const bytes = encoder.encode(JSON.stringify(headers))
  if (bytes.length <= headersBytesMax) return bytes
  throw new InvalidArgumentError(
    `the headers take ${bytes.length} bytes; expected at most ${headersBytesMax}`,
  )
}

export interface RequestParts {
  readonly route: Uint8Array
  readonly version: number
  readonly attempt: number
  readonly callId: string
  readonly keyed: boolean
  readonly headers: Uint8Array
  readonly payload: Uint8Array
}

export function encodeRequest(parts: RequestParts, remainingMs: number): Uint8Array {
  const { route, callId, headers, payload } = parts
  // Three bytes per UTF-16 unit is the most UTF-8 needs; what is too much is cut off again below.
  const room = fixedBytes + 4 + route.length + callId.length * 3 + headers.length + payload.length
  const bytes = takeBytes(room)
  writeU32(bytes, 0, Math.min(0xffff_ffff, Math.max(1, Math.ceil(remainingMs))))
  bytes[4] = parts.keyed ? keyedFlag : 0
  bytes[5] = Math.min(255, parts.attempt)
  bytes[6] = parts.version >>> 8
  bytes[7] = parts.version
  bytes[8] = route.length
  bytes.set(route, 9)
  let at = 9 + route.length
  const idBytes = encodeId(callId, bytes, at + 1)
  bytes[at] = idBytes
  at += 1 + idBytes
  bytes[at] = headers.length >>> 8
  bytes[at + 1] = headers.length
  bytes.set(headers, at + 2)
  at += 2 + headers.length
  bytes.set(payload, at)
  return bytes.subarray(0, at + payload.length)
}

/** Ids are short and nearly always ASCII, for which a loop beats the encoder. */
function encodeId(id: string, bytes: Uint8Array, at: number): number {
  for (let index = 0; index < id.length; index++) {
    const unit = id.charCodeAt(index)
    if (unit > 127) return encoder.encodeInto(id, bytes.subarray(at)).written
    bytes[at + index] = unit
  }
  return id.length
}

/** @throws {RpcProtocolError} cut short, or not what it says. */
export function decodeRequest(bytes: Uint8Array): Request {
  let at = fixedBytes
  const take = (lengthBytes: 1 | 2): Uint8Array => {
    if (at + lengthBytes > bytes.length) throw cutShort()
    const high = bytes[at] ?? 0
    const length = lengthBytes === 1 ? high : (high << 8) | (bytes[at + 1] ?? 0)
    const start = at + lengthBytes
    at = start + length
    if (at > bytes.length) throw cutShort()
    return bytes.subarray(start, at)
  }
  const route = shortText(take(1))
  const callId = shortText(take(1))
  const headers = decodeHeaders(take(2))
  return {
    route,
    callId,
    headers,
    remainingMs: readU32(bytes, 0),
    keyed: ((bytes[4] ?? 0) & keyedFlag) !== 0,
    attempt: bytes[5] ?? 1,
    version: ((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0),
    payload: bytes.subarray(at),
  }
}

function cutShort(): RpcProtocolError {
  return new RpcProtocolError('a request is cut short')
}

/** @throws {RpcProtocolError} not valid UTF-8. */
function shortText(bytes: Uint8Array): string {
  let text = ''
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0
    if (byte > 127) return decodeText(bytes)
    text += String.fromCharCode(byte)
  }
  return text
}

function decodeHeaders(bytes: Uint8Array): Headers {
  if (bytes.length === 0) return noHeaders
  if (bytes.length > headersBytesMax) throw new RpcProtocolError('the headers are too long')
  let value: unknown
  try {
    value = JSON.parse(decodeText(bytes))
  } catch (cause) {
    throw new RpcProtocolError('the headers are not JSON', { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RpcProtocolError('the headers are no record')
  }
  const headers: Record<string, string> = Object.create(null)
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw new RpcProtocolError('a header is no text')
    headers[name] = text
  }
  return headers
}
