/**
 * The calling side: an object with a method for each procedure. A call ends by its deadline, with an
 * answer or with an error that says whether it can have happened.
 */
import { ClosedError, DeadlineExceededError, outcomeOf } from '../../errors.ts'
import { type Observer, silentObserver } from '../../observability/observer.ts'
import { requireInteger, requireText } from '../../ports/arguments.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Balancer } from '../balancing/balancer.ts'
import type { EndpointSource } from '../endpoint.ts'
import { attempts } from './attempts.ts'
import { channels } from './channels.ts'
import { type Codec, jsonCodec } from './codec.ts'
import { type Keepalive, nameOf } from './link.ts'
import { readPayload } from './payload.ts'
import { encodeHeaders, type Headers, routeBytes } from './request.ts'
import type { RetryPolicy } from './retry.ts'
import type { RpcCall } from './server-call.ts'
import type { InputOf, OutputOf, Procedure, Procedures, Service } from './service.ts'

export interface CallOptions {
  /** 1 to 3_600_000. Default: the client's. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Small facts beside the input, at most 8 KiB as JSON. */
  readonly headers?: Headers
  /**
   * An idempotency key of 1 to 80 characters: a server with `idempotency` executes it once. Default: an
   * id of our own, the same for all attempts of this call, which no server remembers.
   */
  readonly callId?: string
  /** The call in whose service this one is made: it ends no later, and with it. */
  readonly parent?: Pick<RpcCall, 'signal' | 'remainingMs'>
}

export type RpcClient<P extends Procedures> = {
  readonly [Name in keyof P]: (
    input: InputOf<P[Name]>,
    options?: CallOptions,
  ) => Promise<OutputOf<P[Name]>>
} & {
  /** Ends all calls under way: `unknown` for those that had left. */
  close(): void
  [Symbol.asyncDispose](): Promise<void>
}

export interface RpcClientOptions {
  readonly source: EndpointSource
  /** For this client alone: it is told of this client's endpoints and calls. */
  readonly balancer: Balancer
  /** For all attempts of a call together. 1 to 3_600_000. No default: only the caller can know. */
  readonly timeoutMs: number
  /** Default: one attempt. */
  readonly retry?: RetryPolicy
  /** How long a call waits for an endpoint or a connection instead of failing fast. Default 0. */
  readonly waitForReadyMs?: number
  readonly observer?: Observer
  readonly codec?: Codec
  readonly limits?: ClientLimits
  readonly keepalive?: Partial<Keepalive>
  /** 1 to 600_000, default 2_000. */
  readonly connectTimeoutMs?: number
  /** The rest after a failed connection: doubles up to `capMs`, half of it random. */
  readonly reconnect?: { readonly baseMs: number; readonly capMs: number }
  /** Between half of this age and all of it a connection is replaced. 0 (default): never. */
  readonly connectionAgeMaxMs?: number
}

export interface ClientLimits {
  /** Calls under way to one endpoint. 1 to 1_000_000, default 10_000; then `LimitExceededError`. */
  readonly callsMax?: number
  /** One answer. 1_024 to 256 MiB, default 4 MiB. */
  readonly messageBytesMax?: number
  /** Requests that wait to leave to one endpoint. Default 16 MiB; then `LimitExceededError`. */
  readonly sendBytesMax?: number
}

interface Target {
  readonly procedure: Procedure<unknown, unknown>
  readonly route: Uint8Array
  readonly subject: string
  labels(outcome: string): Readonly<Record<string, string>>
}

/** @throws {InvalidArgumentError} an option is outside its range. */
export function rpcClient<P extends Procedures>(
  runtime: Runtime,
  service: Service<P>,
  options: RpcClientOptions,
): RpcClient<P> {
  const { clock, random } = runtime
  const { observer = silentObserver, codec = jsonCodec, waitForReadyMs = 0 } = options
  const pool = channels(runtime, { ...checked(options), name: nameOf(runtime), observer })
  const calls = attempts(runtime, pool, options.retry)
  const clientId = random.id('rpc-client').slice(0, 20)
  let callCount = 0
  let closed = false

  async function call(target: Target, input: unknown, given: CallOptions = {}): Promise<unknown> {
    const startedMs = clock.monotonicMs()
    if (closed) throw new ClosedError('the client was closed')
    const timeoutMs = timeLeftMs(given)
    const deadlineMs = startedMs + timeoutMs
    if (given.callId !== undefined) requireText('callId', given.callId, 80)
    callCount += 1
    let outcome = 'ok'
    try {
      const answer = await calls.run({
        service: service.name,
        idempotent: target.procedure.idempotent,
        deadlineMs,
        readyUntilMs: Math.min(deadlineMs, startedMs + waitForReadyMs),
        signals: signalsOf(given),
        parts: {
          route: target.route,
          version: service.version,
          attempt: 1,
          callId: given.callId ?? `${clientId}${callCount.toString(36)}`,
          keyed: given.callId !== undefined,
          headers: encodeHeaders(given.headers),
          payload: codec.encode(input),
        },
      })
      const value = readPayload(codec, target.procedure.output, answer, target.subject)
      return value instanceof Promise ? await value : value
    } catch (error) {
      outcome = outcomeOf(error)
      throw error
    } finally {
      const labels = target.labels(outcome)
      observer.count('rpcCalls', labels)
      observer.measure('rpcCallMs', clock.monotonicMs() - startedMs, labels)
    }
  }

  function timeLeftMs({ timeoutMs = options.timeoutMs, parent }: CallOptions): number {
    requireInteger('timeoutMs', timeoutMs, 1, 3_600_000)
    if (parent === undefined) return timeoutMs
    const leftMs = Math.min(timeoutMs, parent.remainingMs())
    if (leftMs > 0) return leftMs
    throw new DeadlineExceededError('not-applied', 'the time allowed to the calling call is over')
  }

  const withdrawSnapshot = observer.snapshot('rpc', () => ({
    role: 'client',
    service: service.name,
    version: service.version,
    balancer: options.balancer.name,
    calls: callCount,
    endpoints: pool.describe(),
  }))

  function close(): void {
    closed = true
    pool.close()
    withdrawSnapshot()
  }

  const methods = Object.entries(service.procedures).map(([name, procedure]) => {
    const target = targetOf(service.name, name, procedure)
    return [name, (input: unknown, given?: CallOptions) => call(target, input, given)] as const
  })
  // Each method was made for the procedure of its name, which the compiler cannot follow.
  return {
    ...Object.fromEntries(methods),
    close,
    [Symbol.asyncDispose]: async () => close(),
  } as unknown as RpcClient<P>
}

const noSignals: readonly AbortSignal[] = []

function signalsOf({ signal, parent }: CallOptions): readonly AbortSignal[] {
  if (signal === undefined && parent === undefined) return noSignals
  return [signal, parent?.signal].filter((each) => each !== undefined)
}

function targetOf(service: string, name: string, procedure: Procedure<unknown, unknown>): Target {
  const labels = new Map(
    ['ok', 'not-applied', 'unknown', 'invalid'].map((outcome) => [
      outcome,
      { service, procedure: name, outcome },
    ]),
  )
  return {
    procedure,
    route: routeBytes(`${service}/${name}`),
    subject: `output of ${service}/${name}`,
    labels: (outcome) => labels.get(outcome) ?? {},
  }
}

function checked(options: RpcClientOptions) {
  const limits = {
    callsMax: 10_000,
    messageBytesMax: 4_194_304,
    sendBytesMax: 16_777_216,
    ...options.limits,
  }
  const all = {
    ...limits,
    source: options.source,
    balancer: options.balancer,
    codec: (options.codec ?? jsonCodec).name,
    handshakeMs: 5_000,
    keepalive: { intervalMs: 10_000, timeoutMs: 5_000, ...options.keepalive },
    connectTimeoutMs: options.connectTimeoutMs ?? 2_000,
    reconnect: options.reconnect ?? { baseMs: 50, capMs: 2_000 },
    connectionAgeMaxMs: options.connectionAgeMaxMs ?? 0,
  }
  requireInteger('timeoutMs', options.timeoutMs, 1, 3_600_000)
  requireInteger('waitForReadyMs', options.waitForReadyMs ?? 0, 0, 3_600_000)
  requireInteger('callsMax', all.callsMax, 1, 1_000_000)
  requireInteger('messageBytesMax', all.messageBytesMax, 1_024, 268_435_456)
  requireInteger('sendBytesMax', all.sendBytesMax, 1_024, 2 ** 40)
  requireInteger('connectTimeoutMs', all.connectTimeoutMs, 1, 600_000)
  requireInteger('keepalive.intervalMs', all.keepalive.intervalMs, 100, 3_600_000)
  requireInteger('keepalive.timeoutMs', all.keepalive.timeoutMs, 100, 3_600_000)
  requireInteger('reconnect.baseMs', all.reconnect.baseMs, 1, 3_600_000)
  requireInteger('reconnect.capMs', all.reconnect.capMs, all.reconnect.baseMs, 3_600_000)
  requireInteger('connectionAgeMaxMs', all.connectionAgeMaxMs, 0, 31_536_000_000)
  const { attemptsMax } = options.retry ?? { attemptsMax: 1 }
  requireInteger('retry.attemptsMax', attemptsMax, 1, 20)
  return all
}
