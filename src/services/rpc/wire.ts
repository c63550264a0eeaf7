/**
 * The wire: everything between two RPC peers is a frame, and this file is its layout. A frame is a head
 * of ten bytes and a body; a message that is longer than one chunk travels as several frames with the
 * same id, so that a large message and many small ones share a connection like lanes share a road.
 *
 *   length u32 │ kind u8 │ flags u8 │ id u32 │ body (length bytes)        all numbers big-endian
 *
 * The first frame each way is `hello`. It carries the format versions a peer speaks, so old and new can
 * meet; bytes after the fields known here are ignored, so later versions may add some.
 */
import { RpcProtocolError } from './rpc-error.ts'

export const frameHeadBytes = 10

/** Format versions this code can speak, lowest and highest. */
export const wireVersions: { readonly min: number; readonly max: number } = { min: 1, max: 1 }

/** Bodies longer than this are cut into chunks of this size. */
export const chunkBytes = 16_384

/** Messages of more than one chunk that one side may have begun and not finished. */
export const bulkMax = 4

/** How many unacknowledged bytes of large messages a sender may have under way. */
export const windowBytes = 262_144

/** A `hello` must fit in this; before it nothing longer is read. */
export const helloBytesMax = 1_024

export const frameKind = {
  hello: 1,
  request: 2,
  response: 3,
  error: 4,
  /** The next chunk of the message with this id. */
  continuation: 5,
  /** The sender of this frame gave up on this id: a call, or a message sent in part. */
  cancel: 6,
  ping: 7,
  pong: 8,
  /** `id` is the last request that was, or will be, processed. All later ones never will be. */
  goaway: 9,
  /** `id` more bytes of large messages may be sent. */
  window: 10,
} as const

export type FrameKind = (typeof frameKind)[keyof typeof frameKind]

/** Flag: more chunks of this message follow. */
export const moreFlag = 1

export interface Hello {
  readonly version: number
  readonly frameBytesMax: number
  readonly messageBytesMax: number
  readonly windowBytes: number
  readonly codec: string
  /** What the peer calls itself. Not proven by anything. */
  readonly name: string
}

const magic = [0x48, 0x46, 0x52, 0x50] // HFRP
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export function encodeHello(hello: Omit<Hello, 'version'>): Uint8Array {
  const codec = encoder.encode(hello.codec)
  const name = encoder.encode(hello.name)
  const bytes = new Uint8Array(20 + codec.length + name.length)
  const view = new DataView(bytes.buffer)
  bytes.set(magic, 0)
  view.setUint8(4, wireVersions.min)
  view.setUint8(5, wireVersions.max)
  view.setUint32(6, hello.frameBytesMax)
  view.setUint32(10, hello.messageBytesMax)
  view.setUint32(14, hello.windowBytes)
  view.setUint8(18, codec.length)
  bytes.set(codec, 19)
  view.setUint8(19 + codec.length, name.length)
  bytes.set(name, 20 + codec.length)
  return bytes
}

/** @throws {RpcProtocolError} not a hello, or no version in common. */
export function decodeHello(bytes: Uint8Array): Hello {
  if (bytes.length < 20 || magic.some((byte, at) => bytes[at] !== byte)) {
    throw new RpcProtocolError('the peer does not speak this protocol')
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const version = Math.min(view.getUint8(5), wireVersions.max)
  if (version < Math.max(view.getUint8(4), wireVersions.min)) {
    throw new RpcProtocolError('the peers have no version of the protocol in common')
  }
  const codecEnd = 19 + view.getUint8(18)
  if (bytes.length <= codecEnd) throw new RpcProtocolError('a hello is cut short')
  const nameEnd = codecEnd + 1 + view.getUint8(codecEnd)
  if (bytes.length < nameEnd) throw new RpcProtocolError('a hello is cut short')
  const hello = {
    version,
    frameBytesMax: view.getUint32(6),
    messageBytesMax: view.getUint32(10),
    windowBytes: view.getUint32(14),
    codec: decodeText(bytes.subarray(19, codecEnd)),
    name: decodeText(bytes.subarray(codecEnd + 1, nameEnd)),
  }
  if (hello.frameBytesMax < chunkBytes || hello.windowBytes < chunkBytes) {
    throw new RpcProtocolError('a hello asks for frames or windows smaller than a chunk')
  }
  return hello
}

/** @throws {RpcProtocolError} not valid UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new RpcProtocolError('a text is not valid UTF-8', { cause })
  }
}

/** Writes a head at `at`. */
export function writeHead(
  bytes: Uint8Array,
  at: number,
  head: { length: number; kind: number; flags: number; id: number },
): void {
  writeU32(bytes, at, head.length)
  bytes[at + 4] = head.kind
  bytes[at + 5] = head.flags
  writeU32(bytes, at + 6, head.id)
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** The caller has checked that four bytes are there. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  )
}
