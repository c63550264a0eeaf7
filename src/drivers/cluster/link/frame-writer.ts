/**
 * All that is said in one turn leaves in one piece: a system call, and under a seal a tag, for each answer
 * would cost more than all the rest of it.
 */
import type { ByteStream } from '../../../runtime/network.ts'
import { frameOf } from './link-frames.ts'

export interface FrameWriter {
  /** Leaves in a moment. @throws {LimitExceededError} the message is too large: nothing of it leaves. */
  send(message: object): void
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

  return {
    send(message) {
      const frame = frameOf(message)
      if (frames.length === 0) queueMicrotask(leave)
      frames.push(frame)
      bytes += frame.length
    },
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
