/**
 * A byte stream whose bytes nobody between the two ends can read, change, drop, repeat or reorder without
 * the stream failing. Each frame is a length, at most 65_519 bytes sealed under the next number, and its
 * tag. An empty frame is the goodbye: a stream that ends without it was cut off.
 */
import type { ByteStream, StreamReceiver } from '../../runtime/network.ts'
import { frameReader } from '../framing/frame-reader.ts'
import { type Ciphers, tagBytes } from './noise.ts'
import { SealError } from './seal-error.ts'

/** One Noise message is at most 65_535 bytes. */
const frameBytesMax = 65_535
const plainBytesMax = frameBytesMax - tagBytes
const lengthBytes = 2

/** What the one receiver of the raw stream calls once the handshake is through. */
export interface SealedStream {
  readonly stream: ByteStream
  readonly receiver: StreamReceiver
}

export function sealedStream(raw: ByteStream, { outgoing, incoming }: Ciphers): SealedStream {
  let user: StreamReceiver | undefined
  /** Came before anybody asked: at most what the raw stream handed over before it was paused. */
  let early: Uint8Array[] = []
  let fate: { readonly error?: Error } | undefined
  let goodbye = false
  let over = false

  const reader = frameReader({
    lengthBytes,
    bodyBytesMax: () => frameBytesMax,
    tooLong: (length) => new SealError('tampered', `a sealed frame of ${length} bytes`),
    accept(body) {
      if (over || fate !== undefined) return
      if (goodbye) throw new SealError('tampered', 'bytes after the goodbye')
      const plain = open(body)
      if (plain.length === 0) goodbye = true
      else if (user === undefined) early.push(plain)
      else user.data(plain)
    },
  })

  function open(body: Uint8Array): Uint8Array {
    try {
      return incoming.open(body)
    } catch (cause) {
      throw new SealError('tampered', `${raw.remote} sent a frame that does not open`, cause)
    }
  }

  function finish(error?: Error): void {
    if (over || fate !== undefined) return
    fate = error === undefined ? {} : { error }
    settle()
  }

  function settle(): void {
    if (user === undefined || fate === undefined || over) return
    over = true
    if (fate.error === undefined) user.ended()
    else user.failed(fate.error)
  }

  /** The length is sealed along only by its effect: a wrong one makes a frame that does not open. */
  function writeFrame(plain: Uint8Array): boolean {
    const frame = new Uint8Array(lengthBytes + plain.length + tagBytes)
    const length = plain.length + tagBytes
    frame[0] = length >>> 8
    frame[1] = length & 0xff
    outgoing.seal(plain, undefined, frame.subarray(lengthBytes))
    return raw.write(frame)
  }

  let closing = false
  raw.pause(true)
  const stream: ByteStream = {
    remote: raw.remote,
    receive(receiver) {
      user = receiver
      const kept = early
      early = []
      for (const bytes of kept) if (!over) receiver.data(bytes)
      raw.pause(false)
      settle()
    },
    write(bytes) {
      if (closing) return true
      let room = true
      for (let at = 0; at < bytes.length; at += plainBytesMax) {
        room = writeFrame(bytes.subarray(at, at + plainBytesMax))
      }
      return room
    },
    drained: () => raw.drained(),
    pause: (paused) => raw.pause(paused),
    end() {
      if (closing) return
      closing = true
      writeFrame(new Uint8Array(0))
      raw.end()
    },
    destroy() {
      closing = true
      over = true
      raw.destroy()
    },
  }
  const receiver: StreamReceiver = {
    data(bytes) {
      if (over || fate !== undefined) return
      try {
        reader.push(bytes)
      } catch (error) {
        if (!(error instanceof SealError)) throw error
        raw.destroy()
        finish(error)
      }
    },
    ended() {
      finish(goodbye ? undefined : new SealError('truncated', `${raw.remote} was cut off`))
    },
    failed: finish,
  }
  return { stream, receiver }
}
