/**
 * Frames out of a byte stream that cuts them anywhere. The peer may be hostile: a length is checked
 * before a byte of the body is kept, so what is held never exceeds one frame.
 */
import { RpcProtocolError } from './rpc-error.ts'
import { frameHeadBytes, readU32 } from './wire.ts'

export interface FrameReader {
  /** @throws {RpcProtocolError} too long. What `accept` throws passes through; do not push again. */
  push(bytes: Uint8Array): void
}

export interface FrameReaderOptions {
  /** Asked for each frame, because the limit grows after the hello. */
  bodyBytesMax(): number
  /** `body` may be a view of the pushed bytes: copy what must outlive this call cheaply. */
  accept(kind: number, flags: number, id: number, body: Uint8Array): void
}

export function frameReader({ bodyBytesMax, accept }: FrameReaderOptions): FrameReader {
  const head = new Uint8Array(frameHeadBytes)
  let headFilled = 0
  let body: Uint8Array | undefined
  let bodyFilled = 0

  function lengthAt(bytes: Uint8Array, at: number): number {
    const length = readU32(bytes, at)
    const max = bodyBytesMax()
    if (length <= max) return length
    throw new RpcProtocolError(`a frame of ${length} bytes is over the limit of ${max}`)
  }

  function emit(bytes: Uint8Array, at: number, payload: Uint8Array): void {
    accept(bytes[at + 4] ?? 0, bytes[at + 5] ?? 0, readU32(bytes, at + 6), payload)
  }

  /** Goes on with the frame that an earlier piece began. @returns where the next frame starts. */
  function resume(bytes: Uint8Array): number {
    let at = 0
    if (body === undefined) {
      const taken = Math.min(frameHeadBytes - headFilled, bytes.length)
      head.set(bytes.subarray(0, taken), headFilled)
      headFilled += taken
      at = taken
      if (headFilled < frameHeadBytes) return at
      body = new Uint8Array(lengthAt(head, 0))
      bodyFilled = 0
    }
    const taken = Math.min(body.length - bodyFilled, bytes.length - at)
    body.set(bytes.subarray(at, at + taken), bodyFilled)
    bodyFilled += taken
    if (bodyFilled === body.length) {
      const whole = body
      body = undefined
      headFilled = 0
      emit(head, 0, whole)
    }
    return at + taken
  }

  /** Keeps the beginning of a frame whose rest has not come. */
  function keep(bytes: Uint8Array, at: number): void {
    const left = bytes.length - at
    headFilled = Math.min(left, frameHeadBytes)
    head.set(bytes.subarray(at, at + headFilled))
    if (headFilled < frameHeadBytes) return
    body = new Uint8Array(lengthAt(head, 0))
    bodyFilled = left - frameHeadBytes
    body.set(bytes.subarray(at + frameHeadBytes))
  }

  return {
    push(bytes) {
      let at = headFilled > 0 ? resume(bytes) : 0
      while (bytes.length - at >= frameHeadBytes) {
        const bodyAt = at + frameHeadBytes
        const end = bodyAt + lengthAt(bytes, at)
        if (end > bytes.length) break
        emit(bytes, at, bytes.subarray(bodyAt, end))
        at = end
      }
      if (at < bytes.length) keep(bytes, at)
    },
  }
}
