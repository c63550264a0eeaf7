/**
 * The client's side of a link to a model, and the one place where the outcome of a failure is decided:
 * no connection, nothing happened; a request that left and was not answered may have happened, now or
 * later. A request that is not answered in time costs the connection, as with most client libraries.
 *
 * Not promised: order. Two calls made at once may be answered in either order.
 */
import { ClosedError, OutcomeUnknownError, UnavailableError } from '../../../errors.ts'
import type { Timer } from '../../../runtime/clock.ts'
import type { ByteStream } from '../../../runtime/network.ts'
import type { Runtime } from '../../../runtime/runtime.ts'
import { type FrameWriter, frameWriter } from './frame-writer.ts'
import { errorOf, movedCode, type WireError } from './link-errors.ts'
import { frameReader, pingMethod } from './link-frames.ts'

export interface Link {
  /** @throws the server's error, `UnavailableError` or `OutcomeUnknownError`. */
  call<Answer>(method: string, ...values: readonly unknown[]): Promise<Answer>
  /**
   * Asks for news of something. `over` is called once, with the reason, when no more news will come:
   * what happened after it is not known, so look, and follow again.
   * @returns stops; neither is called after that.
   */
  follow(method: string, values: readonly unknown[], follower: LinkFollower): () => void
  /** Breaks the connection; what is under way ends as unknown. Safe to repeat. */
  close(): void
  readonly closed: boolean
}

export interface LinkFollower {
  news(news: unknown): void
  over(reason: Error): void
}

export interface LinkOptions {
  /** Where to connect: asked anew for each connection, since a primary may move. */
  address(): Promise<string> | string
  readonly namespace: string
  /** 1 to 600_000, default 1_000. */
  readonly connectTimeoutMs?: number
  /** How long to wait for an answer. 1 to 600_000, default 3_000. */
  readonly answerTimeoutMs?: number
}

interface Pending {
  answer(value: unknown): void
  fail(error: Error): void
  news(value: unknown): void
  readonly follows: boolean
}

interface Connection {
  readonly stream: ByteStream
  readonly writer: FrameWriter
  readonly pending: Map<number, Pending>
  broken: boolean
  pinging: boolean
}

/** Who only listens would never learn that the other side is gone. */
const pingEveryMs = 1_000

export function link(runtime: Runtime, options: LinkOptions): Link {
  const { namespace, connectTimeoutMs = 1_000, answerTimeoutMs = 3_000 } = options
  let connecting: Promise<Connection> | undefined
  let current: Connection | undefined
  let lastId = 0
  let closed = false

  function lose(connection: Connection, reason: string): void {
    if (connection.broken) return
    connection.broken = true
    if (current === connection) current = undefined
    connection.stream.destroy()
    for (const pending of [...connection.pending.values()]) {
      pending.fail(
        pending.follows
          ? new UnavailableError(reason)
          : new OutcomeUnknownError(`no answer: ${reason}`),
      )
    }
    connection.pending.clear()
  }

  async function connect(): Promise<Connection> {
    const address = await options.address()
    const stream = await runtime.network.connect(address, { timeoutMs: connectTimeoutMs })
    const connection: Connection = {
      stream,
      writer: frameWriter(stream),
      pending: new Map(),
      broken: false,
      pinging: false,
    }
    stream.receive({
      data: frameReader((message) => {
        const frame = message as unknown as Frame
        hear(connection, frame)
        if (frame.error?.code === movedCode) lose(connection, `${address} is not the one to ask`)
      }),
      ended: () => lose(connection, `${address} ended the connection`),
      failed: (error) => lose(connection, `the connection to ${address} broke: ${error.message}`),
    })
    if (closed) {
      lose(connection, 'closed')
      throw new ClosedError('the link is closed')
    }
    current = connection
    return connection
  }

  async function connected(): Promise<Connection> {
    if (closed) throw new ClosedError('the link is closed')
    if (current !== undefined) return current
    connecting ??= connect().finally(() => {
      connecting = undefined
    })
    const connection = await connecting
    if (connection.broken) throw new UnavailableError('the connection broke before the request')
    return connection
  }

  function ask(connection: Connection, frame: object, pending: Pending): number {
    const id = ++lastId
    connection.writer.send({ id, in: namespace, ...frame })
    connection.pending.set(id, pending)
    return id
  }

  function answered<Answer>(
    connection: Connection,
    method: string,
    values: readonly unknown[],
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      let timer: Timer | undefined
      const pending: Pending = {
        follows: false,
        answer(value) {
          timer?.cancel()
          resolve(value as Answer)
        },
        fail(error) {
          timer?.cancel()
          reject(error)
        },
        news() {},
      }
      ask(connection, { call: method, with: values }, pending)
      timer = runtime.timers.schedule(answerTimeoutMs, () =>
        lose(connection, `"${method}" was not answered in ${answerTimeoutMs} ms`),
      )
    })
  }

  /** Goes on as long as somebody follows something on this connection. */
  function ping(connection: Connection): void {
    const followed = [...connection.pending.values()].some((pending) => pending.follows)
    connection.pinging = followed && !connection.broken
    if (!connection.pinging) return
    const next = (): void => ping(connection)
    const again = (): void => {
      runtime.timers.schedule(pingEveryMs, next, { background: true })
    }
    // A lost ping has told all followers by itself.
    answered(connection, pingMethod, []).then(again, () => {})
  }

  return {
    async call<Answer>(method: string, ...values: readonly unknown[]): Promise<Answer> {
      return answered<Answer>(await connected(), method, values)
    },
    follow(method, values, follower) {
      const follow = { stopped: false, stop: (): void => {} }
      const over = (reason: Error): void => {
        if (follow.stopped) return
        follow.stopped = true
        follower.over(reason)
      }
      const begin = (connection: Connection): void => {
        if (follow.stopped) return
        const pending: Pending = {
          follows: true,
          answer() {},
          fail: over,
          news: (news) => follow.stopped || follower.news(news),
        }
        const id = ask(connection, { call: method, with: values }, pending)
        if (!connection.pinging) ping(connection)
        follow.stop = () => {
          if (!connection.pending.delete(id)) return
          connection.writer.send({ id, stop: true })
        }
      }
      connected().then(begin, over)
      return () => {
        follow.stopped = true
        follow.stop()
      }
    },
    close() {
      closed = true
      if (current !== undefined) lose(current, 'the link was closed')
    },
    get closed() {
      return closed
    },
  }
}

interface Frame {
  readonly id: number
  readonly answer?: unknown
  readonly error?: WireError
  readonly news?: unknown
}

function hear(connection: Connection, frame: Frame): void {
  const pending = connection.pending.get(frame.id)
  if (pending === undefined) return
  if ('news' in frame) {
    pending.news(frame.news)
    return
  }
  connection.pending.delete(frame.id)
  if (frame.error !== undefined) pending.fail(errorOf(frame.error))
  else pending.answer(frame.answer)
}
