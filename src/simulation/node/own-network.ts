/**
 * `node:net` and `node:http` over the simulated network, for programs that know no `Runtime`: a machine's
 * name is its host name, and a socket is a stream of the world. TLS, UDP, pipes and `fetch` are not covered.
 */
import http from 'node:http'
import net from 'node:net'
import { Duplex } from 'node:stream'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Callable } from './own-globals.ts'

const connectTimeoutMs = 75_000

/** The part of a `net.Socket` that servers, clients and `node:http` use. */
class OwnSocket extends Duplex {
  connecting = true
  timeout = 0
  remoteAddress: string | undefined
  remotePort: number | undefined
  #stream: ByteStream | undefined
  #idle: { cancel(): void } | undefined
  readonly #runtime: Runtime

  constructor(runtime: Runtime) {
    super({ allowHalfOpen: false })
    this.#runtime = runtime
  }

  /** From now on it is connected. */
  attach(stream: ByteStream): void {
    if (this.destroyed) {
      stream.destroy()
      return
    }
    this.#stream = stream
    this.connecting = false
    const colon = stream.remote.lastIndexOf(':')
    this.remoteAddress = stream.remote.slice(0, colon)
    this.remotePort = Number(stream.remote.slice(colon + 1))
    stream.receive({
      data: (bytes) => {
        this.#alive()
        if (!this.push(Buffer.from(bytes))) stream.pause(true)
      },
      ended: () => void this.push(null),
      failed: ({ message }) =>
        this.destroy(Object.assign(new Error(message), { code: 'ECONNRESET' })),
    })
    this.emit('connect')
    this.emit('ready')
  }

  override _read(): void {
    this.#stream?.pause(false)
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    const stream = this.#stream
    if (stream === undefined) {
      this.once('connect', () => this._write(chunk, _encoding, done))
      return
    }
    this.#alive()
    if (stream.write(new Uint8Array(chunk))) done()
    else stream.drained().then(() => done())
  }

  override _final(done: () => void): void {
    if (this.connecting) this.once('connect', () => this.#stream?.end())
    else this.#stream?.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#idle?.cancel()
    if (error !== null || !this.writableFinished) this.#stream?.destroy()
    done(error)
  }

  setTimeout(ms: number, callback?: () => void): this {
    this.timeout = ms
    if (callback !== undefined && ms > 0) this.once('timeout', callback)
    else if (callback !== undefined) this.removeListener('timeout', callback)
    this.#alive()
    return this
  }

  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  address(): { readonly address: string; readonly family: string; readonly port: number } {
    return { address: this.#runtime.identity.machine, family: 'IPv4', port: 0 }
  }

  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }

  #alive(): void {
    this.#idle?.cancel()
    if (this.timeout <= 0) return
    this.#idle = this.#runtime.timers.schedule(this.timeout, () => void this.emit('timeout'))
  }
}

/** What `net.connect` and `net.createConnection` take: options, or port and host. */
function connect(runtime: Runtime, parameters: readonly unknown[]): OwnSocket {
  const [first, second] = parameters
  const given = first as { readonly port?: unknown; readonly host?: unknown } | null
  const isOptions = typeof given === 'object' && given !== null
  const port = Number(isOptions ? given.port : first)
  const host = isOptions ? given.host : typeof second === 'string' ? second : undefined
  const socket = new OwnSocket(runtime)
  const connected = parameters.find((parameter) => typeof parameter === 'function')
  if (connected !== undefined) socket.once('connect', connected as () => void)
  const address = `${String(host ?? 'localhost')}:${port}`
  runtime.network.connect(address, { timeoutMs: connectTimeoutMs }).then(
    (stream) => socket.attach(stream),
    ({ message }) => socket.destroy(Object.assign(new Error(message), { code: 'ECONNREFUSED' })),
  )
  return socket
}

/** `server.listen(port, …, callback)` or `server.listen({ port }, callback)`. */
function listen(runtime: Runtime, server: net.Server, parameters: readonly unknown[]): net.Server {
  const [first] = parameters
  const isOptions = typeof first === 'object' && first !== null
  const port = Number((isOptions ? (first as { readonly port?: unknown }).port : first) ?? 0)
  const listening = parameters.find((parameter) => typeof parameter === 'function')
  if (listening !== undefined) server.once('listening', listening as () => void)
  if (server instanceof http.Server) {
    // Node would write the real time into each answer.
    server.prependListener('request', (_request, response: http.ServerResponse) => {
      response.sendDate = false
      response.setHeader('Date', new Date(runtime.clock.wallMs()).toUTCString())
    })
  }
  const accept = (stream: ByteStream): void => {
    const socket = new OwnSocket(runtime)
    socket.attach(stream)
    server.emit('connection', socket)
  }
  const failed = (error: unknown): void => void server.emit('error', error)
  runtime.network.listen(`${runtime.identity.machine}:${port}`, accept).then((listener) => {
    const at = Number(listener.address.slice(listener.address.lastIndexOf(':') + 1))
    server.address = () => ({ address: runtime.identity.machine, family: 'IPv4', port: at })
    server.close = (callback) => {
      const closed = (): void => {
        server.emit('close')
        callback?.()
      }
      listener.close().then(closed)
      return server
    }
    server.emit('listening')
  }, failed)
  return server
}

const agents = new WeakMap<Runtime, http.Agent>()

/** Connections that are kept belong to one process, and die with it. */
function agentOf(runtime: Runtime): http.Agent {
  let agent = agents.get(runtime)
  if (agent === undefined) {
    agent = new http.Agent({ keepAlive: true })
    agents.set(runtime, agent)
  }
  return agent
}

/** Routes `node:net` and `node:http`; `current` is the process that asked for it, if any runs now. */
export function patchNetwork(current: () => Runtime | undefined): void {
  function route(
    owner: object,
    name: string,
    own: (runtime: Runtime, self: unknown, parameters: unknown[], real: Callable) => unknown,
  ): void {
    const real = Reflect.get(owner, name) as Callable
    Reflect.set(owner, name, function (this: unknown, ...parameters: unknown[]): unknown {
      const runtime = current()
      return runtime === undefined
        ? Reflect.apply(real, this, parameters)
        : own(runtime, this, parameters, real)
    })
  }
  for (const [owner, name] of [
    [net, 'connect'],
    [net, 'createConnection'],
    [http.Agent.prototype, 'createConnection'],
  ] as const) {
    route(owner, name, (runtime, _self, parameters) => connect(runtime, parameters))
  }
  route(net.Server.prototype, 'listen', (runtime, self, parameters) =>
    listen(runtime, self as net.Server, parameters),
  )
  for (const name of ['request', 'get']) {
    route(http, name, (runtime, self, [target, ...rest], real) => {
      const isUrl = typeof target === 'string' || target instanceof URL
      const place = isUrl ? [target] : []
      const [options, callback] = isUrl ? rest : [target, ...rest]
      const hasOptions = typeof options === 'object' && options !== null
      const agent = { agent: agentOf(runtime), ...(hasOptions ? options : {}) }
      const answered = typeof options === 'function' ? options : callback
      return Reflect.apply(real, self, [...place, agent, answered])
    })
  }
}
