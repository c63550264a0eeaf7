/**
 * TCP and UDP through `node:net` and `node:dgram`.
 */
import { createSocket } from 'node:dgram'
import { createServer, connect as dial, isIPv6, type Server, type Socket } from 'node:net'
import {
  CancelledError,
  ClosedError,
  ConfigurationError,
  InvalidArgumentError,
  UnavailableError,
} from '../../errors.ts'
import type {
  ByteStream,
  ConnectOptions,
  Datagram,
  DatagramSocket,
  Listener,
  Network,
} from '../network.ts'
import { formatAddress, parseAddress } from './network-address.ts'
import { byteStream } from './network-stream.ts'

const datagramBytesMax = 65_507

export interface NodeNetwork extends Network {
  /** Closes every listener, stream and socket that is still open. */
  close(): Promise<void>
}

export function nodeNetwork(): NodeNetwork {
  const sockets = new Set<Socket>()
  const closers = new Set<() => Promise<void>>()
  let closed = false

  function requireOpen(): void {
    if (closed) throw new ClosedError('the runtime is closed')
  }

  function stream(socket: Socket): ByteStream {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return byteStream(socket)
  }

  function opened<Resource extends { close(): Promise<void> }>(resource: Resource): Resource {
    const close = resource.close
    const once = (): Promise<void> => {
      closers.delete(once)
      return close()
    }
    closers.add(once)
    return { ...resource, close: once }
  }

  return {
    async listen(address, accept) {
      requireOpen()
      return opened(await listen(address, (socket) => accept(stream(socket))))
    },
    async connect(address, options) {
      requireOpen()
      return stream(await connect(address, options))
    },
    async bind(address, receive) {
      requireOpen()
      return opened(await bind(address, receive))
    },
    async close() {
      closed = true
      for (const socket of sockets) socket.destroy()
      await Promise.all([...closers].map((close) => close()))
    },
  }
}

async function listen(address: string, accept: (socket: Socket) => void): Promise<Listener> {
  const { host, port } = parseAddress(address)
  const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, accept)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(taken(address, cause)))
    server.listen(port, host, resolve)
  })
  // An error while accepting (no file descriptors left) costs that connection, not the process.
  server.on('error', () => {})
  const at = server.address()
  let closing: Promise<void> | undefined
  return {
    address: typeof at === 'object' && at ? formatAddress(at.address, at.port) : address,
    close() {
      // `close` of the server also waits for accepted streams, which live on: do not wait for it.
      closing ??= new Promise((resolve) => {
        server.close()
        setImmediate(resolve)
      })
      return closing
    },
  }
}

function connect(address: string, { timeoutMs, signal }: ConnectOptions): Promise<Socket> {
  const { host, port } = parseAddress(address)
  if (!(timeoutMs >= 1 && timeoutMs <= 600_000)) {
    throw new InvalidArgumentError(`timeoutMs is ${timeoutMs}; expected 1 to 600000`)
  }
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled(address, signal))
    const socket = dial({ host, port, allowHalfOpen: true })
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      socket.off('error', fail)
    }
    const giveUp = (error: Error): void => {
      settle()
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const fail = (cause: Error): void =>
      giveUp(new UnavailableError(`no connection to ${address}: ${cause.message}`, { cause }))
    const abort = (): void => giveUp(cancelled(address, signal))
    const timer = setTimeout(
      () => giveUp(new UnavailableError(`no answer from ${address} in ${timeoutMs} ms`)),
      timeoutMs,
    )
    signal?.addEventListener('abort', abort, { once: true })
    socket.once('error', fail)
    socket.once('connect', () => {
      settle()
      socket.pause()
      resolve(socket)
    })
  })
}

async function bind(
  address: string,
  receive: (datagram: Datagram) => void,
): Promise<DatagramSocket> {
  const { host, port } = parseAddress(address)
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (cause) => reject(taken(address, cause)))
    socket.bind(port, host, resolve)
  })
  socket.removeAllListeners('error')
  socket.on('error', () => {}) // datagrams may be lost; so may the news of it
  socket.on('message', (bytes, { address: source, port: from }) => {
    receive({ bytes: new Uint8Array(bytes), source: formatAddress(source, from) })
  })
  const at = socket.address()
  let closing: Promise<void> | undefined
  return {
    address: formatAddress(at.address, at.port),
    send(target, bytes) {
      const to = parseAddress(target)
      if (bytes.byteLength > datagramBytesMax) {
        throw new InvalidArgumentError(
          `a datagram of ${bytes.byteLength} bytes; expected at most ${datagramBytesMax}`,
        )
      }
      if (!closing) socket.send(bytes, to.port, to.host, () => {})
    },
    close() {
      closing ??= new Promise((resolve) => socket.close(() => resolve()))
      return closing
    },
  }
}

function taken(address: string, cause: Error): ConfigurationError {
  return new ConfigurationError(`cannot listen on ${address}: ${cause.message}`, { cause })
}

function cancelled(address: string, signal: AbortSignal | undefined): CancelledError {
  return new CancelledError(`the connection to ${address} was given up`, { cause: signal?.reason })
}
