/**
 * The server's side of a link: each connection brings requests, each request is answered once, and a
 * request to follow something is answered with news until either side has enough. Requests of one
 * connection run at the same time: it is for the model to put them in order.
 */
import { InvalidArgumentError } from '../../../errors.ts'
import type { ByteStream, Listener } from '../../../runtime/network.ts'
import type { Runtime } from '../../../runtime/runtime.ts'
import { wireError } from './link-errors.ts'
import { frameOf, frameReader, pingMethod } from './link-frames.ts'

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
}

/** Accepts until the process dies or the listener is closed. */
export function linkServer(runtime: Runtime, options: LinkServerOptions): Promise<Listener> {
  return runtime.network.listen(options.address, (stream) => accept(runtime, options, stream))
}

function accept(runtime: Runtime, options: LinkServerOptions, stream: ByteStream): void {
  const following = new Map<number, () => void>()
  let open = true

  function close(): void {
    open = false
    for (const stop of following.values()) stop()
    following.clear()
    stream.destroy()
  }

  function send(message: object): void {
    if (open) stream.write(frameOf(message))
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
    try {
      const { calls, sources } = await options.service(namespace)
      const call = Object.hasOwn(calls, method) ? calls[method] : undefined
      if (call !== undefined) {
        return send({ id, answer: await call(...(values as never[])) })
      }
      const source = Object.hasOwn(sources, method) ? sources[method] : undefined
      if (source === undefined) throw new InvalidArgumentError(`there is no "${method}" here`)
      const stop = source(tellerOf(id), ...(values as never[]))
      if (open) following.set(id, stop)
      else stop()
    } catch (error) {
      const told = wireError(error)
      if (told === undefined) throw error
      send({ id, error: told })
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
  })

  stream.receive({
    data: read,
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
