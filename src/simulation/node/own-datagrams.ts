/**
 * The part of a `dgram.Socket` that programs use, over datagrams of the simulated network. Broadcast and
 * multicast are refused by name.
 */
import { EventEmitter } from 'node:events'
import type { DatagramSocket } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'

type Sent = (error: Error | null, bytes?: number) => void

export class OwnDatagramSocket extends EventEmitter {
  readonly #runtime: Runtime
  #socket: DatagramSocket | undefined
  #binding: Promise<void> | undefined
  #closed = false
  #remote: string | undefined

  constructor(runtime: Runtime, heard?: () => void) {
    super()
    this.#runtime = runtime
    if (heard !== undefined) this.on('message', heard)
  }

  /** Options, or port and address; and a callback. */
  bind(...parameters: readonly unknown[]): this {
    const [first] = parameters
    const isOptions = typeof first === 'object' && first !== null
    const port = Number((isOptions ? (first as { readonly port?: unknown }).port : first) ?? 0) || 0
    const bound = parameters.find((parameter) => typeof parameter === 'function')
    if (bound !== undefined) this.once('listening', bound as () => void)
    this.#open(port)
    return this
  }

  /** The peer of all that is sent without an address. */
  connect(port: number, ...rest: readonly unknown[]): void {
    const [host] = rest
    this.#remote = `${typeof host === 'string' ? host : 'localhost'}:${port}`
    const connected = rest.find((parameter) => typeof parameter === 'function')
    if (connected !== undefined) this.once('connect', connected as () => void)
    this.#open(0).then(() => this.emit('connect'))
  }

  /** `send(message, [offset, length], [port], [address], [callback])`. */
  send(message: unknown, ...rest: readonly unknown[]): void {
    const sent = rest.find((parameter) => typeof parameter === 'function') as Sent | undefined
    const given = rest.filter((parameter) => typeof parameter !== 'function')
    const numbers = given.filter((parameter) => typeof parameter === 'number')
    const whole = bytesOf(message)
    // Three numbers are offset, length and port; two are offset and length of a connected socket.
    const sliced = numbers.length >= 2
    const [offset = 0, length = whole.length] = sliced ? numbers : []
    const bytes = whole.subarray(offset, offset + length)
    const port = sliced ? numbers[2] : numbers[0]
    const host = given.find((parameter) => typeof parameter === 'string') ?? 'localhost'
    const target = port === undefined ? this.#remote : `${String(host)}:${port}`
    if (target === undefined) throw new RangeError('send needs a port: the socket is not connected')
    this.#open(0)
      .then(() => this.#socket?.send(target, bytes))
      .then(
        () => sent?.(null, bytes.length),
        (error: Error) => (sent === undefined ? this.emit('error', error) : sent(error)),
      )
  }

  close(closed?: () => void): this {
    if (closed !== undefined) this.once('close', closed)
    this.#closed = true
    const closing = this.#socket?.close() ?? Promise.resolve()
    closing.then(() => this.emit('close'))
    return this
  }

  address(): { readonly address: string; readonly family: string; readonly port: number } {
    if (this.#socket === undefined) throw new Error('the socket is not bound')
    return { ...placeOf(this.#socket.address), family: 'IPv4' }
  }

  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  setBroadcast(): never {
    return refuse('setBroadcast()')
  }
  setMulticastTTL(): never {
    return refuse('setMulticastTTL()')
  }
  addMembership(): never {
    return refuse('addMembership()')
  }

  #open(port: number): Promise<void> {
    this.#binding ??= this.#runtime.network
      .bind(`${this.#runtime.identity.machine}:${port}`, ({ bytes, source }) => {
        const sender = { ...placeOf(source), family: 'IPv4', size: bytes.length }
        this.emit('message', Buffer.from(bytes), sender)
      })
      .then(
        (socket) => {
          this.#socket = socket
          if (this.#closed) void socket.close()
          else this.emit('listening')
        },
        ({ message }) => {
          this.emit('error', Object.assign(new Error(message), { code: 'EADDRINUSE' }))
        },
      )
    return this.#binding
  }
}

function bytesOf(message: unknown): Uint8Array {
  if (typeof message === 'string') return Buffer.from(message)
  if (Array.isArray(message)) return Buffer.concat(message.map(bytesOf))
  const { buffer, byteOffset, byteLength } = message as Uint8Array
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function placeOf(address: string): { readonly address: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  return { address: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

function refuse(name: string): never {
  throw new Error(`a simulated world has no ${name}: send to each machine by name`)
}
