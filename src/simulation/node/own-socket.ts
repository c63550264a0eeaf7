/**
 * The part of a `net.Socket` that servers, clients and `node:http` use, over a stream of the simulated
 * network.
 */
import { Duplex } from 'node:stream'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'

const connectTimeoutMs = 75_000

interface ConnectTo {
  readonly port?: unknown
  readonly host?: unknown
}

/** The part of a `net.Socket` that servers, clients and `node:http` use. */
export class OwnSocket extends Duplex {
  connecting = true
  timeout = 0
  bytesRead = 0
  bytesWritten = 0
  readonly remoteFamily = 'IPv4'
  remoteAddress: string | undefined
  remotePort: number | undefined
  #stream: ByteStream | undefined
  #idle: { cancel(): void } | undefined
  readonly #runtime: Runtime

  constructor(runtime: Runtime, allowHalfOpen = false) {
    super({ allowHalfOpen })
    this.#runtime = runtime
  }

  get pending(): boolean {
    return this.connecting
  }
  get localAddress(): string {
    return this.#runtime.identity.machine
  }

  /** Options, or port and host; and a callback. */
  connect(...parameters: readonly unknown[]): this {
    const [first, second] = parameters
    const isOptions = typeof first === 'object' && first !== null
    const options = (isOptions ? first : { port: first, host: second }) as ConnectTo
    // `node:http` leaves the path of the request in there, beside the port.
    if (Number.isNaN(Number(options.port ?? Number.NaN))) {
      throw new Error('a simulated world has no pipes: connect to a host and a port')
    }
    const connected = parameters.find((parameter) => typeof parameter === 'function')
    if (connected !== undefined) this.once('connect', connected as () => void)
    const host = typeof options.host === 'string' ? options.host : 'localhost'
    const address = `${host}:${Number(options.port)}`
    this.#runtime.network.connect(address, { timeoutMs: connectTimeoutMs }).then(
      (stream) => this.attach(stream),
      ({ message }) => this.destroy(Object.assign(new Error(message), { code: 'ECONNREFUSED' })),
    )
    return this
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
        this.bytesRead += bytes.length
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
    this.bytesWritten += chunk.length
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

  /** Node sends a reset; here too, as far as the wire is modelled. */
  resetAndDestroy(): this {
    return this.destroy()
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
