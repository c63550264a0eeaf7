/**
 * The server's side of a link: each connection brings requests, each request is answered once, and a
 * request to follow something is answered with news until either side has enough. Requests of one
 * connection run at the same time: it is for the model to put them in order.
 */
import { InvalidArgumentError, UnavailableError } from '../../../errors.ts'
import type { ByteStream, Listener } from '../../../runtime/network.ts'
import type { Runtime } from '../../../runtime/runtime.ts'
import { frameWriter } from './frame-writer.ts'
import { wireError } from './link-errors.ts'
import { frameReader, pingMethod } from './link-frames.ts'

/** An answer in bytes is taken for JSON, marked as in `marked-json.ts`, and passed on unread. */
export type LinkCall = (...values: never[]) => Promise<unknown>

export interface LinkTeller {
  news(news: unknown): void
  /** No more news will come. */
  over(reason: Error): void
}

/** Tells the follower news until it is stopped. @returns stops. */
export type LinkSource = (teller: LinkTeller, ...values: never[]) => () => void

/** What a model offers under names. */
export interface LinkService {
  readonly calls: Readonly<Record<string, LinkCall>>
  readonly sources: Readonly<Record<string, LinkSource>>
}

export interface LinkServerOptions {
  /** `host:port` of the own machine. */
  readonly address: string
  /** The service for a client's namespace. */
  service(namespace: string): Promise<LinkService>
  /** Of one request. Default 268_435_456. */
  readonly requestBytesMax?: number
}

/** Requests of one connection that may be under way at once. */
const underWayMax = 4_096
/** A client that does not read what it asked for is cut off when this much waits for it. */
const waitingBytesMax = 67_108_864

/** Accepts until the process dies or the listener is closed. */
export function linkServer(runtime: Runtime, options: LinkServerOptions): Promise<Listener> {
  return runtime.network.listen(
    options.address,
    (stream) => void serveLink(runtime, options, stream),
  )
}

/** Serves one connection to its end. Words that are not of this protocol end it. */
export function serveLink(
  runtime: Runtime,
  options: Omit<LinkServerOptions, 'address'>,
  stream: ByteStream,
): Promise<void> {
  return new Promise((over) => serve(runtime, options, stream, over))
}

function serve(
  runtime: Runtime,
  options: Omit<LinkServerOptions, 'address'>,
  stream: ByteStream,
  over: () => void,
): void {
  const following = new Map<number, () => void>()
  let open = true
  let underWay = 0
  let waitingBytes = 0

  function close(): void {
    open = false
    for (const stop of following.values()) stop()
    following.clear()
    stream.destroy()
    over()
  }

  const writer = frameWriter(stream, (bytes, room) => {
    if (room || !open) return
    if (waitingBytes === 0) {
      void stream.drained().then(() => {
        waitingBytes = 0
      })
    }
    waitingBytes += bytes
    if (waitingBytes > waitingBytesMax) close()
  })

  function send(message: object): void {
    if (open) writer.send(message)
  }

  const tellerOf = (id: number): LinkTeller => ({
    news: (news) => send({ id, news }),
    over(reason) {
      following.delete(id)
      send({ id, error: wireError(reason) ?? { code: 'unavailable', message: reason.message } })
    },
  })

  async function answer(request: Request): Promise<void> {
    const { id, method, values, namespace } = request
    if (method === pingMethod) return send({ id })
    underWay += 1
    try {
      if (underWay > underWayMax) throw new UnavailableError(`${underWayMax} requests wait`)
      const { calls, sources } = await options.service(namespace)
      const call = Object.hasOwn(calls, method) ? calls[method] : undefined
      if (call !== undefined) {
        const value = await call(...(values as never[]))
        if (!(value instanceof Uint8Array)) return send({ id, answer: value })
        return open ? writer.sendAnswer(id, value) : undefined
      }
      const source = Object.hasOwn(sources, method) ? sources[method] : undefined
      if (source === undefined) throw new InvalidArgumentError(`there is no "${method}" here`)
      const stop = source(tellerOf(id), ...(values as never[]))
      if (open) following.set(id, stop)
      else stop()
    } catch (error) {
      const told = wireError(error)
      send({ id, error: told ?? { code: 'outcome-unknown', message: 'the server failed over it' } })
      // A bug: the runtime tells whoever looks after this process, too.
      if (told === undefined) throw error
    } finally {
      underWay -= 1
    }
  }

  const read = frameReader((message) => {
    const { id, call, in: namespace, with: values, stop } = message as unknown as Frame
    if (stop === true) {
      following.get(id)?.()
      following.delete(id)
      return
    }
    const request = { id, method: call, values, namespace }
    runtime.tasks.spawn(`answer ${call}`, () => answer(request))
  }, options.requestBytesMax)

  stream.receive({
    data(bytes) {
      try {
        read(bytes)
      } catch {
        close()
      }
    },
    ended: close,
    failed: close,
  })
}

interface Request {
  readonly id: number
  readonly method: string
  readonly values: readonly unknown[]
  readonly namespace: string
}

interface Frame {
  readonly id: number
  readonly call: string
  readonly in: string
  readonly with: readonly unknown[]
  readonly stop?: boolean
}
