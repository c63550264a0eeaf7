/**
 * Frames out of a byte stream that cuts them anywhere: each is a length and that many bytes. The peer may
 * be hostile, so a length is checked before a byte of the body is kept: what is held never exceeds a frame.
 */

export interface FrameReaderOptions {
  /** Width of the length, big-endian. */
  readonly lengthBytes: 2 | 4
  /** Asked for each frame, because the limit may grow once the peer is known. */
  bodyBytesMax(): number
  /** `body` may be a view of the pushed bytes, which belong to the reader from then on. */
  accept(body: Uint8Array): void
  /** The error that ends it all. */
  tooLong(length: number, max: number): Error
}

export interface FrameReader {
  /** @throws what `tooLong` made, or what `accept` throws: do not push again. */
  push(bytes: Uint8Array): void
}

export function frameReader(options: FrameReaderOptions): FrameReader {
  const { lengthBytes } = options
  const head = new Uint8Array(lengthBytes)
  let headFilled = 0
  /** The body that is being filled; `undefined` while the head is. */
  let body: Uint8Array | undefined
  let bodyFilled = 0

  function lengthAt(bytes: Uint8Array, at: number): number {
    let length = 0
    for (let index = 0; index < lengthBytes; index++) {
      length = length * 256 + (bytes[at + index] ?? 0)
    }
    const max = options.bodyBytesMax()
    if (length > max) throw options.tooLong(length, max)
    return length
  }

  /** Fills what is unfinished. @returns how many bytes that took. */
  function resume(bytes: Uint8Array, at: number): number {
    if (body === undefined) {
      const taken = Math.min(lengthBytes - headFilled, bytes.length - at)
      head.set(bytes.subarray(at, at + taken), headFilled)
      headFilled += taken
      if (headFilled === lengthBytes) {
        body = new Uint8Array(lengthAt(head, 0))
        bodyFilled = 0
      }
      return taken
    }
    const taken = Math.min(body.length - bodyFilled, bytes.length - at)
    body.set(bytes.subarray(at, at + taken), bodyFilled)
    bodyFilled += taken
    return taken
  }

  return {
    push(bytes) {
      let at = 0
      while (at < bytes.length) {
        if (headFilled === 0 && bytes.length - at >= lengthBytes) {
          // The common case: the whole frame is here, and no byte of it is copied.
          const end = at + lengthBytes + lengthAt(bytes, at)
          if (end <= bytes.length) {
            const whole = bytes.subarray(at + lengthBytes, end)
            at = end
            options.accept(whole)
            continue
          }
        }
        at += resume(bytes, at)
        if (body !== undefined && bodyFilled === body.length) {
          const whole = body
          body = undefined
          headFilled = 0
          options.accept(whole)
        }
      }
    },
  }
}
