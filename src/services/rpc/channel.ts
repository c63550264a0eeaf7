/**
 * The way to one endpoint: connects when first asked, keeps the connection for all calls, replaces it
 * when it breaks, ages or the server says goodbye, and after a failure rests for a growing, random while
 * in which calls fail at once instead of queueing up against a wall.
 */
import {
  CancelledError,
  ClosedError,
  DeadlineExceededError,
  type HoldfastError,
  LimitExceededError,
  OutcomeUnknownError,
} from '../../errors.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Endpoint } from '../endpoint.ts'
import { type ClientSession, type ClientSessionOptions, clientSession } from './client-session.ts'
import { deadlines } from './deadlines.ts'
import { connectionLost, type PendingCall } from './pending-call.ts'
import type { RequestParts } from './request.ts'
import { EndpointUnreachableError } from './rpc-error.ts'

export interface Channel {
  readonly endpoint: Endpoint
  readonly state: 'idle' | 'connecting' | 'open' | 'resting' | 'closed'
  /** Calls that wait or are under way. */
  readonly active: number
  /** One attempt. Settles by `deadlineMs` (monotonic), whatever happens. */
  request(
    parts: RequestParts,
    deadlineMs: number,
    signals: readonly AbortSignal[],
  ): Promise<Uint8Array>
  /** No new calls; the connection ends with the last call under way. */
  leave(): void
  close(): void
}

export interface ChannelOptions extends ClientSessionOptions {
  readonly connectTimeoutMs: number
  readonly reconnect: { readonly baseMs: number; readonly capMs: number }
  /** Between half of this age and all of it a connection is replaced by a new one. 0: never. */
  readonly connectionAgeMaxMs: number
}

export function channel(runtime: Runtime, endpoint: Endpoint, options: ChannelOptions): Channel {
  const { clock, random, network, timers, tasks } = runtime
  const waiting = new Set<PendingCall>()
  const retired = new Set<ClientSession>()
  const stop = new AbortController()
  let session: ClientSession | undefined
  let connecting = false
  let failures = 0
  let restUntilMs = 0
  let left = false

  const expiring = deadlines<PendingCall>(runtime, (call) => {
    const neverLeft = abandon(call)
    call.reject(
      new DeadlineExceededError(
        neverLeft ? 'not-applied' : 'unknown',
        `no answer from ${endpoint.address} in the time allowed`,
      ),
    )
  })

  /** @returns whether the server never saw it. */
  function abandon(call: PendingCall): boolean {
    if (waiting.delete(call)) return true
    return call.owner?.abandon(call) ?? false
  }

  function connect(): void {
    connecting = true
    tasks.spawn(`connect to ${endpoint.address}`, async () => {
      try {
        const stream = await network.connect(endpoint.address, {
          timeoutMs: options.connectTimeoutMs,
          signal: stop.signal,
        })
        if (stop.signal.aborted) stream.destroy()
        else open(stream)
      } catch (error) {
        failed(error)
      }
    })
  }

  function open(stream: Parameters<typeof clientSession>[1]): void {
    let old: Timer | undefined
    const current = clientSession(runtime, stream, options, {
      opened() {
        connecting = false
        failures = 0
        const calls = [...waiting]
        waiting.clear()
        for (const call of calls) hand(call, current)
        if (left) current.leave()
        else old = replaceWhenOld(current)
      },
      leaving() {
        if (session !== current) return
        session = undefined
        retired.add(current)
      },
      closed(error) {
        old?.cancel()
        retired.delete(current)
        if (session !== current) return
        session = undefined
        if (connecting) failed(error)
      },
    })
    session = current
  }

  function hand(call: PendingCall, target: ClientSession): void {
    call.owner = target
    target.send(call)
  }

  /** Connections made together must not all end together, so half of the age is random. */
  function replaceWhenOld(current: ClientSession): Timer | undefined {
    if (options.connectionAgeMaxMs === 0) return undefined
    const ageMs = options.connectionAgeMaxMs * (0.5 + random.fraction('rpc-connection-age') / 2)
    return timers.schedule(ageMs, () => current.leave(), { background: true })
  }

  function failed(cause: unknown): void {
    connecting = false
    const { baseMs, capMs } = options.reconnect
    const mostMs = Math.min(capMs, baseMs * 2 ** Math.min(failures, 20))
    const restMs = mostMs / 2 + (mostMs / 2) * random.fraction('rpc-reconnect')
    failures += 1
    restUntilMs = clock.monotonicMs() + restMs
    const calls = [...waiting]
    waiting.clear()
    for (const call of calls) call.reject(unreachable(cause))
  }

  function unreachable(cause?: unknown): EndpointUnreachableError {
    const retryAfterMs = Math.max(0, Math.ceil(restUntilMs - clock.monotonicMs()))
    return new EndpointUnreachableError(`${endpoint.address} cannot be reached`, {
      cause,
      details: { address: endpoint.address, retryAfterMs },
    })
  }

  function dispatch(call: PendingCall): void {
    if (session?.state === 'open') {
      hand(call, session)
    } else if (!connecting && clock.monotonicMs() < restUntilMs) {
      call.reject(unreachable())
    } else if (waiting.size >= options.callsMax) {
      call.reject(new LimitExceededError(`${options.callsMax} calls wait for a connection`))
    } else {
      waiting.add(call)
      if (!connecting) connect()
    }
  }

  function state(): Channel['state'] {
    if (left) return 'closed'
    if (session?.state === 'open') return 'open'
    if (connecting) return 'connecting'
    return clock.monotonicMs() < restUntilMs ? 'resting' : 'idle'
  }

  return {
    endpoint,
    get state() {
      return state()
    },
    get active() {
      return expiring.size
    },
    request(parts, deadlineMs, signals) {
      return new Promise((resolve, reject) => {
        const settle = (): void => {
          expiring.remove(call)
          for (const signal of signals) signal.removeEventListener('abort', abort)
        }
        const call: PendingCall = {
          request: parts,
          deadlineMs,
          id: 0,
          outgoing: undefined,
          owner: undefined,
          resolve(payload) {
            settle()
            resolve(payload)
          },
          reject(error) {
            settle()
            reject(error)
          },
        }
        const abort = (): void => {
          const reason: unknown = signals.find(({ aborted }) => aborted)?.reason
          call.reject(aborted(abandon(call), reason))
        }
        if (left) return call.reject(new ClosedError(`the way to ${endpoint.address} is closed`))
        for (const signal of signals) signal.addEventListener('abort', abort, { once: true })
        expiring.add(call)
        dispatch(call)
      })
    },
    leave() {
      left = true
      // One that is still opening serves those who wait for it first.
      if (session?.state === 'open') session.leave()
    },
    close() {
      if (stop.signal.aborted) return
      left = true
      stop.abort()
      const error = new ClosedError('the client was closed')
      for (const call of waiting) call.reject(connectionLost(call, error))
      waiting.clear()
      for (const each of [...retired]) each.close(error)
      session?.close(error)
      expiring.close()
    },
  }
}

function aborted(neverLeft: boolean, cause: unknown): HoldfastError {
  return neverLeft
    ? new CancelledError('the caller aborted before the request left', { cause })
    : new OutcomeUnknownError('the caller aborted after the request had left', { cause })
}
