/**
 * One connection between two RPC peers, the same for both sides: the hello, whole messages in and out,
 * the window of large messages, and a pulse that finds out when the other side is gone without a word.
 * It knows nothing of calls; client session and server session give the messages their meaning.
 */
import { type HoldfastError, isHoldfastError, UnavailableError } from '../../errors.ts'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { assembly } from './assembly.ts'
import { frameReader } from './frame-reader.ts'
import { type FrameWriter, frameWriter, type Outgoing } from './frame-writer.ts'
import { RpcProtocolError } from './rpc-error.ts'
import {
  chunkBytes,
  decodeHello,
  encodeHello,
  frameKind,
  type Hello,
  helloBytesMax,
  moreFlag,
  windowBytes,
} from './wire.ts'

export interface LinkOptions {
  readonly codec: string
  /** What this side calls itself. */
  readonly name: string
  readonly messageBytesMax: number
  /** How long the hello of the other side may take. */
  readonly handshakeMs: number
  readonly keepalive: Keepalive
}

export interface Keepalive {
  /** Nothing heard for so long: ask. 100 to 3_600_000. */
  readonly intervalMs: number
  /** Asked, and still nothing for so long: the connection is dead. 100 to 3_600_000. */
  readonly timeoutMs: number
}

export interface LinkEvents {
  /** Both hellos are through: messages may be sent. Called once. */
  opened(peer: Hello): void
  message(kind: number, id: number, body: Uint8Array): void
  cancelled(id: number): void
  goneAway(lastId: number): void
  /** Over, once, whoever ended it. Nothing else is called afterwards. */
  closed(error: HoldfastError): void
}

export interface Link {
  readonly remote: string
  /** @throws nothing: after the end, messages are dropped in state `waiting`. */
  send(kind: number, id: number, body: Uint8Array): Outgoing
  withdraw(message: Outgoing): boolean
  readonly waitingBytes: number
  /** Messages that have come in part. */
  readonly assembling: number
  /** Sends what waits, then ends. */
  finish(): void
  close(error: HoldfastError): void
}

const nothing = new Uint8Array(0)

/** What a process calls itself towards its peers: short enough for a hello, 255 bytes. */
export function nameOf({ identity }: Runtime): string {
  return `${identity.machine.slice(0, 40)}/${identity.process.slice(0, 40)}`
}

export function link(
  runtime: Runtime,
  stream: ByteStream,
  options: LinkOptions,
  events: LinkEvents,
): Link {
  const { clock, timers } = runtime
  const messages = assembly(options.messageBytesMax)
  let peer: Hello | undefined
  let over = false
  let heardMs = clock.monotonicMs()
  let pingedMs: number | undefined
  let pong: Outgoing | undefined
  /** Bytes of large messages taken since the last window frame. Never above `windowBytes`. */
  let taken = 0
  // The real credit comes with the hello; until then nothing large can leave.
  const writer: FrameWriter = frameWriter(stream, 0)
  const handshake = timers.schedule(options.handshakeMs, () => {
    if (peer === undefined)
      close(new UnavailableError(`${stream.remote} did not say hello in time`))
  })
  let pulse = timers.schedule(options.keepalive.intervalMs, beat, { background: true })

  function close(error: HoldfastError): void {
    if (over) return
    over = true
    handshake.cancel()
    pulse.cancel()
    writer.stop()
    stream.destroy()
    events.closed(error)
  }

  /** Looks at the clock, because a busy event loop delays timers: late is not dead. */
  function beat(): void {
    if (over) return
    const { intervalMs, timeoutMs } = options.keepalive
    const nowMs = clock.monotonicMs()
    if (pingedMs !== undefined && heardMs < pingedMs && nowMs - pingedMs >= timeoutMs) {
      close(new UnavailableError(`${stream.remote} has not answered for ${timeoutMs} ms`))
      return
    }
    let nextMs = heardMs + intervalMs - nowMs
    if (nextMs <= 0) {
      if (pingedMs === undefined || heardMs >= pingedMs) {
        pingedMs = nowMs
        writer.send(frameKind.ping, 0, nothing)
      }
      nextMs = pingedMs + timeoutMs - nowMs
    }
    pulse = timers.schedule(Math.max(1, nextMs), beat, { background: true })
  }

  function accept(kind: number, flags: number, id: number, body: Uint8Array): void {
    if (over) return
    if (peer === undefined) {
      welcome(kind, body)
      return
    }
    switch (kind) {
      case frameKind.request:
      case frameKind.response:
      case frameKind.error:
      case frameKind.continuation:
        takeMessage(kind, flags, id, body)
        break
      case frameKind.cancel:
        messages.drop(id)
        events.cancelled(id)
        break
      case frameKind.ping:
        // One answer serves all questions that came before it left.
        if (pong?.state !== 'waiting') pong = writer.send(frameKind.pong, 0, nothing)
        break
      case frameKind.pong:
        break
      case frameKind.goaway:
        events.goneAway(id)
        break
      case frameKind.window:
        writer.credit(Math.min(id, windowBytes))
        break
      default:
        throw new RpcProtocolError(`frame kind ${kind} is unknown`)
    }
  }

  function welcome(kind: number, body: Uint8Array): void {
    if (kind !== frameKind.hello) throw new RpcProtocolError('the first frame is no hello')
    const hello = decodeHello(body)
    if (hello.codec !== options.codec) {
      throw new RpcProtocolError(`the peers use different codecs: ${hello.codec}, ${options.codec}`)
    }
    peer = hello
    handshake.cancel()
    writer.credit(Math.min(hello.windowBytes, windowBytes))
    events.opened(hello)
  }

  function takeMessage(kind: number, flags: number, id: number, body: Uint8Array): void {
    if (kind === frameKind.continuation || (flags & moreFlag) !== 0) {
      taken += body.length
      if (taken > windowBytes) throw new RpcProtocolError('a large message overran its window')
      if (taken >= windowBytes / 2) {
        writer.send(frameKind.window, taken, nothing)
        taken = 0
      }
      // The rest of a message that was cancelled may still be under way.
      if (kind === frameKind.continuation && !messages.has(id)) return
    }
    const message = messages.take(kind, flags, id, body)
    if (message !== undefined) events.message(message.kind, id, message.body)
  }

  const reader = frameReader({
    bodyBytesMax: () => (peer === undefined ? helloBytesMax : chunkBytes * 4),
    accept,
  })

  stream.receive({
    data(bytes) {
      if (over) return
      heardMs = clock.monotonicMs()
      try {
        reader.push(bytes)
      } catch (error) {
        if (!isHoldfastError(error)) throw error
        close(error)
      }
    },
    ended() {
      close(new UnavailableError(`${stream.remote} ended the connection`))
    },
    failed(cause) {
      close(new UnavailableError(`the connection to ${stream.remote} broke`, { cause }))
    },
  })
  writer.send(
    frameKind.hello,
    0,
    encodeHello({
      frameBytesMax: chunkBytes * 4,
      messageBytesMax: options.messageBytesMax,
      windowBytes,
      codec: options.codec,
      name: options.name,
    }),
  )

  return {
    remote: stream.remote,
    send: (kind, id, body) => writer.send(kind, id, body),
    withdraw: (message) => writer.withdraw(message),
    get waitingBytes() {
      return writer.waitingBytes
    },
    get assembling() {
      return messages.size
    },
    finish() {
      writer.end()
    },
    close,
  }
}
