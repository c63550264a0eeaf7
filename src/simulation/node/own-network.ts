/**
 * `node:net`, `node:http` and `node:dgram` over the simulated network, for programs that know no `Runtime`: a
 * machine's name is its host name, and a socket is a stream of the world. TLS and pipes are not covered.
 */
import dgram from 'node:dgram'
import http from 'node:http'
import net from 'node:net'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { RuntimeBypassedError } from '../bypassed.ts'
import { OwnDatagramSocket } from './own-datagrams.ts'
import type { Callable } from './own-globals.ts'
import { OwnSocket } from './own-socket.ts'

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
    const { allowHalfOpen } = server as unknown as { readonly allowHalfOpen: boolean }
    const socket = new OwnSocket(runtime, allowHalfOpen)
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
    route(owner, name, (runtime, _self, parameters) =>
      new OwnSocket(runtime).connect(...parameters),
    )
  }
  route(net.Server.prototype, 'listen', (runtime, self, parameters) =>
    listen(runtime, self as net.Server, parameters),
  )
  route(dgram, 'createSocket', (runtime, _self, parameters) => {
    const heard = parameters.find((parameter) => typeof parameter === 'function')
    return new OwnDatagramSocket(runtime, heard as (() => void) | undefined)
  })
  const Socket: typeof net.Socket = new Proxy(net.Socket, {
    construct(real, parameters, target): object {
      const runtime = current()
      return runtime !== undefined && target === Socket
        ? new OwnSocket(runtime)
        : Reflect.construct(real, parameters, target)
    },
  })
  Object.assign(net, { Socket, Stream: Socket })
  // Somebody took the class before it was patched, or made one of his own of it.
  for (const owner of [net.Socket.prototype, dgram.Socket.prototype]) {
    for (const name of ['connect', 'bind', 'send']) {
      if (name in owner) route(owner, name, () => refuse(name))
    }
  }
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

function refuse(name: string): never {
  throw new RuntimeBypassedError(
    `${name}() of a real socket was called in a simulated world: call patched() before its library is loaded`,
  )
}
