/**
 * All that is said in one turn leaves in one piece: a system call, and under a seal a tag, for each answer
 * would cost more than all the rest of it.
 */
import type { ByteStream } from '../../../runtime/network.ts'
import { frameOf, frameOfAnswer } from './link-frames.ts'

export interface FrameWriter {
  /** Leaves in a moment. @throws {LimitExceededError} the message is too large: nothing of it leaves. */
  send(message: object): void
  /** The same for an answer that is JSON already. */
  sendAnswer(id: number, json: Uint8Array): void
}

/** `wrote` is told what left, and whether the stream has room for more. */
export function frameWriter(
  stream: ByteStream,
  wrote: (bytes: number, room: boolean) => void = () => {},
): FrameWriter {
  let frames: Uint8Array[] = []
  let bytes = 0

  function leave(): void {
    const [only] = frames
    const piece = frames.length === 1 && only !== undefined ? only : joined(frames, bytes)
    frames = []
    bytes = 0
    wrote(piece.length, stream.write(piece))
  }

  function put(frame: Uint8Array): void {
    if (frames.length === 0) queueMicrotask(leave)
    frames.push(frame)
    bytes += frame.length
  }

  return {
    send: (message) => put(frameOf(message)),
    sendAnswer: (id, json) => put(frameOfAnswer(id, json)),
  }
}

function joined(frames: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes)
  let at = 0
  for (const frame of frames) {
    all.set(frame, at)
    at += frame.length
  }
  return all
}
