/**
 * The calls under way on one connection, seen from the caller: numbers them, matches answers to them,
 * and when the connection ends or the server says goodbye decides for each whether it can have happened.
 */
import {
  type HoldfastError,
  LimitExceededError,
  OutcomeUnknownError,
  UnavailableError,
} from '../../errors.ts'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { decodeFailure } from './failure.ts'
import { type Link, type LinkOptions, link } from './link.ts'
import { connectionLost, type PendingCall } from './pending-call.ts'
import { encodeRequest } from './request.ts'
import { RpcProtocolError } from './rpc-error.ts'
import { frameKind } from './wire.ts'

export interface ClientSession {
  /** `leaving`: takes no new call, lives until those under way have ended. */
  readonly state: 'opening' | 'open' | 'leaving' | 'closed'
  readonly active: number
  /** Only while `open`. Settles the call at once if a limit is reached. */
  send(call: PendingCall): void
  /** The caller gave up. @returns `true`: the server never got, and will never get, the request. */
  abandon(call: PendingCall): boolean
  leave(): void
  close(error: HoldfastError): void
}

export interface ClientSessionOptions extends LinkOptions {
  /** Calls under way, at most. */
  readonly callsMax: number
  /** Bytes of requests that wait to leave, at most. */
  readonly sendBytesMax: number
}

export interface ClientSessionEvents {
  opened(): void
  /** No new calls here: the server is going away. */
  leaving(): void
  closed(error: HoldfastError): void
}

/** Then a new connection is made, long before the ids run out. */
const idMax = 0x7fff_ffff
const nothing = new Uint8Array(0)

export function clientSession(
  runtime: Runtime,
  stream: ByteStream,
  options: ClientSessionOptions,
  events: ClientSessionEvents,
): ClientSession {
  const { clock } = runtime
  const calls = new Map<number, PendingCall>()
  let state: ClientSession['state'] = 'opening'
  let lastId = 0
  let peerMessageBytesMax = 0

  function settled(): void {
    if (state === 'leaving' && calls.size === 0) connection.finish()
  }

  function leave(): void {
    if (state !== 'open' && state !== 'opening') return
    state = 'leaving'
    events.leaving()
    settled()
  }

  function answer(kind: number, id: number, body: Uint8Array): void {
    const call = calls.get(id)
    // Answers to calls given up are normal; answers to calls never made are not.
    if (call === undefined) {
      if (id > lastId) throw new RpcProtocolError('an answer to a call that was never made')
      return
    }
    if (kind === frameKind.request) throw new RpcProtocolError('a server sent a request')
    calls.delete(id)
    if (kind === frameKind.response) call.resolve(body)
    else call.reject(decodeFailure(body))
    settled()
  }

  const connection: Link = link(runtime, stream, options, {
    opened(peer) {
      peerMessageBytesMax = peer.messageBytesMax
      if (state !== 'opening') return
      state = 'open'
      events.opened()
    },
    message: answer,
    cancelled(id) {
      const call = calls.get(id)
      calls.delete(id)
      call?.reject(new OutcomeUnknownError('the server gave up on its answer'))
      settled()
    },
    goneAway(lastProcessed) {
      for (const [id, call] of calls) {
        if (id <= lastProcessed) continue
        calls.delete(id)
        if (call.outgoing !== undefined) connection.withdraw(call.outgoing)
        call.reject(new UnavailableError('the server is going away and did not take the call'))
      }
      leave()
      settled()
    },
    closed(error) {
      state = 'closed'
      const lost = [...calls.values()]
      calls.clear()
      for (const call of lost) call.reject(connectionLost(call, error))
      events.closed(error)
    },
  })

  return {
    get state() {
      return state
    },
    get active() {
      return calls.size
    },
    send(call) {
      const body = encodeRequest(call.request, call.deadlineMs - clock.monotonicMs())
      const refused = overLimit(body.length)
      if (refused !== undefined) return call.reject(new LimitExceededError(refused))
      call.id = ++lastId
      calls.set(call.id, call)
      call.outgoing = connection.send(frameKind.request, call.id, body)
      if (lastId >= idMax) leave()
    },
    abandon(call) {
      if (!calls.delete(call.id) || call.outgoing === undefined) return false
      const neverLeft = connection.withdraw(call.outgoing)
      if (!neverLeft) connection.send(frameKind.cancel, call.id, nothing)
      settled()
      return neverLeft
    },
    leave,
    close: (error) => connection.close(error),
  }

  function overLimit(bytes: number): string | undefined {
    if (bytes > peerMessageBytesMax) {
      return `the request takes ${bytes} bytes; the server accepts ${peerMessageBytesMax}`
    }
    if (calls.size >= options.callsMax) {
      return `${options.callsMax} calls are under way on this connection`
    }
    if (connection.waitingBytes + bytes > options.sendBytesMax) {
      return `${connection.waitingBytes} bytes wait to leave; the limit is ${options.sendBytesMax}`
    }
    return undefined
  }
}
