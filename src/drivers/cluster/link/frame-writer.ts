/**
 * All that is said in one turn leaves in one piece, written straight into it: a system call, a buffer and,
 * under a seal, a tag for each answer would cost more than all the rest of it.
 */
import { LimitExceededError } from '../../../errors.ts'
import type { ByteStream } from '../../../runtime/network.ts'
import { frameBytesMax, linkVersion } from './link-frames.ts'
import { markedJson } from './marked-json.ts'

export interface FrameWriter {
  /** Leaves in a moment. @throws {LimitExceededError} the message is too large: nothing of it leaves. */
  send(message: object): void
  /** The same for `{ id, answer }` with an answer that is JSON already, and that nobody reads on its way. */
  sendAnswer(id: number, json: Uint8Array): void
}

const encoder = new TextEncoder()
const headBytes = 4
const pieceBytesMin = 1_024
/** Beyond it, room is made for what is there, not for what may be. */
const guessBytesMax = 65_536

/** `wrote` is told what left, and whether the stream has room for more. */
export function frameWriter(
  stream: ByteStream,
  wrote: (bytes: number, room: boolean) => void = () => {},
): FrameWriter {
  let piece = new Uint8Array(pieceBytesMin)
  let size = 0
  /** Where the frame that is being written begins. */
  let start = 0

  function reserve(bytes: number): void {
    if (size + bytes <= piece.length) return
    const larger = new Uint8Array(Math.max(size + bytes, 2 * piece.length))
    larger.set(piece.subarray(0, size))
    piece = larger
  }

  function begin(): void {
    start = size
    reserve(headBytes)
    size += headBytes
  }

  function bytes(value: Uint8Array): void {
    reserve(value.length)
    piece.set(value, size)
    size += value.length
  }

  function text(value: string): void {
    // A UTF-16 unit takes up to three bytes.
    const most = 3 * value.length
    if (most > guessBytesMax) {
      bytes(encoder.encode(value))
      return
    }
    reserve(most)
    size += encoder.encodeInto(value, piece.subarray(size)).written
  }

  function finish(): void {
    const length = size - start - headBytes
    if (length > frameBytesMax) {
      size = start
      throw new LimitExceededError(`a frame of ${length} bytes; expected at most ${frameBytesMax}`)
    }
    new DataView(piece.buffer).setUint32(start, length)
    if (start === 0) queueMicrotask(leave)
  }

  function leave(): void {
    const leaving = piece.subarray(0, size)
    // The next one is likely to be as long.
    const guess = Math.min(guessBytesMax, size + (size >> 2))
    piece = new Uint8Array(Math.max(pieceBytesMin, guess))
    size = 0
    wrote(leaving.length, stream.write(leaving))
  }

  return {
    send(message) {
      const json = markedJson({ v: linkVersion, ...message })
      begin()
      text(json)
      finish()
    },
    sendAnswer(id, json) {
      begin()
      text(`{"v":${linkVersion},"id":${id},"answer":`)
      bytes(json)
      text('}')
      finish()
    },
  }
}
