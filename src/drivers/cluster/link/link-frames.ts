/**
 * What travels between a client and a server: frames of four bytes of length and that much JSON, with
 * 64-bit integers (see `marked-json.ts`). Every frame says which version of this format it is. Written by
 * `frame-writer.ts`, read here.
 */
import { LimitExceededError } from '../../../errors.ts'
import { unmarkedJson } from './marked-json.ts'

export const linkVersion: number = 1

/** Answered by every server at once, so that a follower notices when nobody is there any more. */
export const pingMethod: string = 'ping'

/** Of one frame: room for the largest batch that any port allows. */
export const frameBytesMax: number = 268_435_456

const decoder = new TextDecoder()

/**
 * Collects bytes, in whatever pieces they come, and calls `take` once per whole message.
 * @returns takes the next piece; throws if the other side does not speak this format.
 */
export function frameReader(
  take: (message: Readonly<Record<string, unknown>>) => void,
  bytesMax: number = frameBytesMax,
): (bytes: Uint8Array) => void {
  let pieces: Uint8Array[] = []
  let waiting = 0
  return (bytes) => {
    pieces.push(bytes)
    waiting += bytes.length
    for (;;) {
      if (waiting < 4) return
      const head = pieces[0]
      if (head === undefined || head.length < 4) pieces = [joined(pieces, waiting)]
      const first = pieces[0] ?? head
      if (first === undefined) return
      const length = new DataView(first.buffer, first.byteOffset).getUint32(0)
      if (length > bytesMax) throw new LimitExceededError(`a frame of ${length} bytes`)
      if (waiting < 4 + length) return
      const all = joined(pieces, waiting)
      const rest = all.subarray(4 + length)
      pieces = rest.length === 0 ? [] : [rest]
      waiting = rest.length
      take(messageOf(all.subarray(4, 4 + length)))
    }
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = pieces
  if (pieces.length === 1 && only !== undefined) return only
  const all = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}

function messageOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const message = unmarkedJson(decoder.decode(bytes))
  if (typeof message !== 'object' || message === null || !('v' in message)) {
    throw new TypeError('a frame without a version')
  }
  if (message.v !== linkVersion) throw new TypeError(`a frame of version ${String(message.v)}`)
  return message as unknown as Readonly<Record<string, unknown>>
}
