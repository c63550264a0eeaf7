/**
 * One connection seen from the server: requests come in with a deadline, answers go out, and a caller
 * that cancels or disappears takes its calls with it.
 */
import { CancelledError, type HoldfastError, UnavailableError } from '../../errors.ts'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { encodeFailure } from './failure.ts'
import { type Link, type LinkOptions, link } from './link.ts'
import { decodeRequest } from './request.ts'
import { OverloadedError, RpcProtocolError } from './rpc-error.ts'
import type { ServerCall } from './server-call.ts'
import { frameKind } from './wire.ts'

export interface ServerSession {
  readonly remote: string
  readonly caller: string
  readonly active: number
  readonly waitingBytes: number
  /** Does nothing if the call is over. */
  succeed(call: ServerCall, payload: Uint8Array): void
  /** `vouched`: the error is our own refusal, made before the procedure ran. */
  fail(call: ServerCall, error: unknown, vouched: boolean): void
  /** Takes no new requests, finishes those it has, then ends. */
  drain(): void
  close(error: HoldfastError): void
}

export interface ServerSessionOptions extends LinkOptions {
  /** Answers that may wait for a slow reader, in bytes. At twice this the connection is closed. */
  readonly sendBytesMax: number
}

export interface ServerSessionEvents {
  request(call: ServerCall): void
  /** The caller has gone: nobody waits for this call. */
  abandoned(call: ServerCall, reason: HoldfastError): void
  /** All accepted calls are answered; the connection ends when the caller has heard it. */
  drained(): void
  closed(error: HoldfastError): void
}

export function serverSession(
  runtime: Runtime,
  stream: ByteStream,
  options: ServerSessionOptions,
  events: ServerSessionEvents,
): ServerSession {
  const { clock } = runtime
  const calls = new Map<number, ServerCall>()
  let caller = ''
  let lastAccepted = 0
  let draining = false
  let peerMessageBytesMax = 0

  function arrived(kind: number, id: number, body: Uint8Array): void {
    if (kind !== frameKind.request) throw new RpcProtocolError('a client sent an answer')
    if (calls.has(id)) throw new RpcProtocolError('a request id is used twice')
    const nowMs = clock.monotonicMs()
    const request = decodeRequest(body)
    const call: ServerCall = {
      id,
      session,
      request,
      payload: request.payload,
      startedMs: nowMs,
      deadlineMs: nowMs + request.remainingMs,
      over: false,
      controller: undefined,
      abortedBy: undefined,
    }
    calls.set(id, call)
    if (draining && id > lastAccepted) {
      session.fail(call, new UnavailableError('the server is going away'), true)
    } else if (connection.waitingBytes > options.sendBytesMax) {
      refuseSlowReader(call)
    } else {
      if (id > lastAccepted) lastAccepted = id
      events.request(call)
    }
  }

  function refuseSlowReader(call: ServerCall): void {
    if (connection.waitingBytes > 2 * options.sendBytesMax) {
      connection.close(new UnavailableError('the caller does not read its answers'))
      return
    }
    session.fail(call, new OverloadedError('the caller does not read its answers'), true)
  }

  /** @returns whether somebody waits for the answer. */
  function finish(call: ServerCall): boolean {
    if (call.over) return false
    call.over = true
    calls.delete(call.id)
    return true
  }

  function endIfDrained(): void {
    if (!draining || calls.size > 0 || connection.assembling > 0) return
    connection.finish()
    events.drained()
  }

  function abandon(call: ServerCall, reason: HoldfastError): void {
    if (finish(call)) events.abandoned(call, reason)
  }

  const session: ServerSession = {
    remote: stream.remote,
    get caller() {
      return caller
    },
    get active() {
      return calls.size
    },
    get waitingBytes() {
      return connection.waitingBytes
    },
    succeed(call, payload) {
      if (payload.length > peerMessageBytesMax) {
        const tooLarge = new RpcProtocolError(
          `the answer takes ${payload.length} bytes; the caller accepts ${peerMessageBytesMax}`,
        )
        session.fail(call, tooLarge, false)
        return
      }
      if (!finish(call)) return
      connection.send(frameKind.response, call.id, payload)
      endIfDrained()
    },
    fail(call, error, vouched) {
      if (!finish(call)) return
      connection.send(frameKind.error, call.id, encodeFailure(error, vouched))
      endIfDrained()
    },
    drain() {
      if (draining) return
      draining = true
      connection.send(frameKind.goaway, lastAccepted, new Uint8Array(0))
      endIfDrained()
    },
    close: (error) => connection.close(error),
  }

  const connection: Link = link(runtime, stream, options, {
    opened(peer) {
      caller = peer.name
      peerMessageBytesMax = peer.messageBytesMax
    },
    message: arrived,
    cancelled(id) {
      const call = calls.get(id)
      if (call !== undefined) abandon(call, new CancelledError('the caller cancelled'))
      endIfDrained()
    },
    goneAway() {
      throw new RpcProtocolError('a client said goodbye')
    },
    closed(error) {
      const reason = new CancelledError('the connection to the caller is gone', { cause: error })
      for (const call of [...calls.values()]) abandon(call, reason)
      events.closed(error)
    },
  })
  return session
}
