/**
 * The answering side. A request is admitted, checked against its schema, and given to its procedure with
 * the caller's remaining time; what nobody waits for any more is not begun, and what was begun is told.
 */
import {
  ClosedError,
  DeadlineExceededError,
  type HoldfastError,
  InvalidArgumentError,
} from '../../errors.ts'
import { type Observer, silentObserver } from '../../observability/observer.ts'
import { requireInteger } from '../../ports/arguments.ts'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { admission } from './admission.ts'
import { type Codec, jsonCodec } from './codec.ts'
import { deadlines } from './deadlines.ts'
import { type Farewell, farewellTo } from './farewell.ts'
import { type Keepalive, nameOf } from './link.ts'
import { readPayload } from './payload.ts'
import { type CallHistory, fingerprintOf } from './recent-calls.ts'
import { OverloadedError, UnimplementedError } from './rpc-error.ts'
import { abortCall, callView, type RpcCall, type ServerCall } from './server-call.ts'
import { type ServerSession, serverSession } from './server-session.ts'
import type { InputOf, OutputOf, Procedure, Procedures, Service } from './service.ts'

export type Handlers<P extends Procedures> = {
  readonly [Name in keyof P]: (
    input: InputOf<P[Name]>,
    call: RpcCall,
  ) => OutputOf<P[Name]> | Promise<OutputOf<P[Name]>>
}

export interface RpcServer {
  /** `host:port`, the real port. */
  readonly address: string
  /** @throws {InvalidArgumentError} this service and version is served already, or a handler is absent. */
  serve<P extends Procedures>(service: Service<P>, handlers: Handlers<P>): void
  /**
   * Takes no new connections and no new calls (refused with `not-applied`), finishes what was accepted,
   * and closes. Take the endpoint out of discovery first, and nobody is refused.
   */
  drain(options: { readonly timeoutMs: number }): Promise<DrainResult>
  /** Ends everything now. Callers under way learn `unknown`. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface DrainResult {
  /** Calls that had not ended in the time allowed; their signals were aborted. */
  readonly abandoned: number
}

export interface RpcServerOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string
  readonly observer?: Observer
  readonly codec?: Codec
  readonly limits?: ServerLimits
  readonly keepalive?: Partial<Keepalive>
  /** Executes calls that carry an idempotency key once: `recentCalls(runtime)`. Default: none. */
  readonly idempotency?: CallHistory
}

export interface ServerLimits {
  /** Procedures at work at the same time. 1 to 100_000, default 256. */
  readonly concurrencyMax?: number
  /** Calls that wait for their turn; then refused as overloaded. 0 to 100_000, default 1_024. */
  readonly queueMax?: number
  /** One request. 1_024 to 256 MiB, default 4 MiB. A connection may hold four large ones in part. */
  readonly messageBytesMax?: number
  /** Beyond it, new connections are closed at once. Default 10_000. */
  readonly connectionsMax?: number
  /** Answers that wait for one slow reader. Default 16 MiB. */
  readonly sendBytesMax?: number
}

interface Served {
  readonly procedure: Procedure<unknown, unknown>
  readonly subject: string
  readonly labels: Readonly<Record<string, string>>
  handle(input: unknown, call: RpcCall): unknown
}

/** @throws {ConfigurationError} the address is taken. @throws {InvalidArgumentError} a limit. */
export async function rpcServer(runtime: Runtime, options: RpcServerOptions): Promise<RpcServer> {
  const { clock } = runtime
  const { observer = silentObserver, codec = jsonCodec, idempotency } = options
  const limits = checkedLimits(options.limits)
  const keepalive = { intervalMs: 15_000, timeoutMs: 10_000, ...options.keepalive }
  const nowMs = (): number => clock.monotonicMs()
  const served = new Map<string, Served>()
  const sessions = new Set<ServerSession>()
  let farewell: Farewell | undefined
  let draining = false

  const queue = admission<ServerCall>({ ...limits, start })
  const expiring = deadlines<ServerCall>(runtime, (call) => {
    const begun = !queue.withdraw(call)
    const outcome = begun ? 'unknown' : 'not-applied'
    const error = new DeadlineExceededError(outcome, 'the time allowed ran out on the server')
    call.session.fail(call, error, !begun)
    if (begun) abortCall(call, error)
    else observer.count('rpcCallsDropped', { reason: 'deadline' })
  })

  function arrived(call: ServerCall): void {
    expiring.add(call)
    const taken = queue.offer(call)
    // Waiting, it must not keep alive the large buffer that it came in.
    if (taken === 'queued') call.payload = call.payload.slice()
    if (taken !== 'refused') return
    expiring.remove(call)
    const retryAfterMs = queue.retryAfterMs()
    const error = new OverloadedError('the server is overloaded', { details: { retryAfterMs } })
    call.session.fail(call, error, true)
    observer.count('rpcCallsRefused')
  }

  function abandoned(call: ServerCall, reason: HoldfastError): void {
    expiring.remove(call)
    if (queue.withdraw(call)) observer.count('rpcCallsDropped', { reason: 'caller gone' })
    abortCall(call, reason)
  }

  function start(call: ServerCall): void {
    void execute(call).then(() => {
      expiring.remove(call)
      queue.ended(nowMs() - call.startedMs)
    })
  }

  /** Never rejects. */
  async function execute(call: ServerCall): Promise<void> {
    const { request, session } = call
    const target = served.get(`${request.route}@${request.version}`)
    if (target === undefined) {
      const missing = `no ${request.route} in version ${request.version} is served here`
      return session.fail(call, new UnimplementedError(missing), true)
    }
    let begun = false
    try {
      const read = readPayload(codec, target.procedure.input, call.payload, target.subject)
      const input = read instanceof Promise ? await read : read
      if (call.over) return
      begun = true
      const work = async (): Promise<Uint8Array> => {
        const answer = target.handle(input, callView(call, nowMs))
        return codec.encode(answer instanceof Promise ? await answer : answer)
      }
      const payload = await (request.keyed && idempotency !== undefined
        ? idempotency.once(
            `${request.route}@${request.version} ${request.callId}`,
            fingerprintOf(request.route, call.payload),
            async () => (await work()).slice(),
          )
        : work())
      session.succeed(call, payload)
      observer.count('rpcCallsServed', target.labels)
    } catch (error) {
      session.fail(call, error, !begun)
      observer.count('rpcCallsFailed', target.labels)
      const message = error instanceof Error ? error.message : String(error)
      observer.event('rpcProcedureFailed', { ...target.labels, message: message.slice(0, 500) })
    }
  }

  function accept(stream: ByteStream): void {
    if (draining || sessions.size >= limits.connectionsMax) {
      stream.destroy()
      return
    }
    const session = serverSession(
      runtime,
      stream,
      { ...limits, codec: codec.name, name: nameOf(runtime), handshakeMs: 5_000, keepalive },
      {
        request: arrived,
        abandoned,
        drained: () => farewell?.answered(session),
        closed(error) {
          sessions.delete(session)
          if (error.code === 'rpc-protocol') {
            observer.event('rpcProtocolViolated', { remote: stream.remote, why: error.message })
          }
          farewell?.answered(session)
        },
      },
    )
    sessions.add(session)
  }

  const listener = await runtime.network.listen(options.address, accept)
  const withdrawSnapshot = observer.snapshot('rpc', () => ({
    role: 'server',
    address: listener.address,
    draining,
    connections: sessions.size,
    running: queue.running,
    queued: queue.queued,
    procedures: [...served.keys()],
  }))

  async function close(): Promise<void> {
    draining = true
    await listener.close()
    for (const session of [...sessions]) session.close(new ClosedError('the server was closed'))
    expiring.close()
    withdrawSnapshot()
  }

  return {
    address: listener.address,
    serve(service, handlers) {
      for (const [name, procedure] of Object.entries(service.procedures)) {
        const route = `${service.name}/${name}`
        const key = `${route}@${service.version}`
        const handle: unknown = handlers[name]
        if (typeof handle !== 'function') {
          throw new InvalidArgumentError(`procedure ${route} has no handler`)
        }
        if (served.has(key)) throw new InvalidArgumentError(`${key} is served already`)
        served.set(key, {
          procedure,
          subject: `input of ${route}`,
          labels: { service: service.name, procedure: name },
          handle: handle as Served['handle'],
        })
      }
    },
    async drain({ timeoutMs }) {
      requireInteger('timeoutMs', timeoutMs, 0, 3_600_000)
      draining = true
      const stopListening = listener.close()
      farewell ??= farewellTo(runtime, sessions, timeoutMs)
      for (const session of [...sessions]) session.drain()
      await farewell.over
      const left = [...sessions].reduce((sum, session) => sum + session.active, 0)
      await stopListening
      await close()
      return { abandoned: left }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function checkedLimits(limits: ServerLimits = {}): Required<ServerLimits> {
  const checked = {
    concurrencyMax: 256,
    queueMax: 1_024,
    messageBytesMax: 4_194_304,
    connectionsMax: 10_000,
    sendBytesMax: 16_777_216,
    ...limits,
  }
  requireInteger('concurrencyMax', checked.concurrencyMax, 1, 100_000)
  requireInteger('queueMax', checked.queueMax, 0, 100_000)
  requireInteger('messageBytesMax', checked.messageBytesMax, 1_024, 268_435_456)
  requireInteger('connectionsMax', checked.connectionsMax, 1, 1_000_000)
  requireInteger('sendBytesMax', checked.sendBytesMax, 1_024, 2 ** 40)
  return checked
}
