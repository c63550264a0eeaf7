/**
 * Frames over a stream that may be a stranger's: each has a kind and a body of bounded size, and whatever
 * does not parse ends the channel with a reason.
 */
import { isHoldfastError } from '../../errors.ts'
import type { ByteStream } from '../../runtime/network.ts'
import { frameReader } from '../framing/frame-reader.ts'
import { PeerError } from './peer-error.ts'

export interface ChannelEvents {
  /** `body` is the receiver's to keep. May throw: that ends the channel. */
  frame(kind: number, body: Uint8Array): void
  /** Over, once, whoever ended it; `undefined` if the other side did so in good order. */
  closed(error: Error | undefined): void
}

export interface Channel {
  readonly remote: string
  readonly over: boolean
  /** @returns `false` when enough waits to leave: go on after `drained`. */
  send(kind: number, body: Uint8Array): boolean
  drained(): Promise<void>
  pause(paused: boolean): void
  /** Whoever talks next; frames and the end go to them. */
  listen(events: ChannelEvents): void
  /** More may be said once the other side is known. */
  allow(bodyBytesMax: number): void
  /** Sends the rest, then ends in good order. */
  end(): void
  close(error: Error): void
}

const headBytes = 5

export function channel(stream: ByteStream, bodyBytesMax: number, events: ChannelEvents): Channel {
  let listener = events
  let bytesMax = bodyBytesMax
  let over = false

  function finish(error: Error | undefined): void {
    if (over) return
    over = true
    listener.closed(error)
  }
  function close(error: Error): void {
    stream.destroy()
    finish(error)
  }
  const reader = frameReader({
    lengthBytes: 4,
    bodyBytesMax: () => bytesMax + 1,
    tooLong: (length, max) => new PeerError('malformed', `a frame of ${length} bytes, over ${max}`),
    accept(body) {
      if (!over) listener.frame(body[0] ?? 0, body.subarray(1))
    },
  })
  stream.receive({
    data(bytes) {
      if (over) return
      try {
        reader.push(bytes)
      } catch (error) {
        close(toPeerError(stream.remote, error))
      }
    },
    ended: () => finish(undefined),
    failed: finish,
  })
  return {
    remote: stream.remote,
    get over() {
      return over
    },
    send(kind, body) {
      if (over) return true
      const frame = new Uint8Array(headBytes + body.length)
      new DataView(frame.buffer).setUint32(0, body.length + 1)
      frame[4] = kind
      frame.set(body, headBytes)
      return stream.write(frame)
    },
    drained: () => stream.drained(),
    pause: (paused) => stream.pause(paused),
    listen(next) {
      listener = next
    },
    allow(next) {
      bytesMax = next
    },
    end() {
      over = true
      stream.end()
    },
    close,
  }
}

function toPeerError(remote: string, error: unknown): Error {
  if (error instanceof PeerError) return error
  if (!isHoldfastError(error)) throw error
  return new PeerError('malformed', `${remote}: ${error.message}`, error)
}
