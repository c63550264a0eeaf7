/**
 * A queue hands each message to one consumer, keeps it leased while that one works, and gives it to
 * another if the first dies. Think of a cloakroom: the message stays in the house until somebody
 * returns with the ticket of this very visit.
 *
 * Promised: once `send` resolves the message is delivered at least once until a handler returns (or it
 * becomes a dead letter); messages with the same key are handled one at a time in the order sent; never
 * before their delay is over.
 * Not promised: exactly one delivery. A consumer can die between its effect and the acknowledgement, so
 * make the effect idempotent by `delivery.id`, or write both in one transaction with `effectOnce`.
 */
import { InvalidArgumentError, LimitExceededError } from '../errors.ts'
import { type Observer, silentObserver } from '../observability/index.ts'
import { requireInteger, requireText } from '../ports/arguments.ts'
import { parseWith, type Schema } from '../ports/schema.ts'
import type {
  DeadLetter,
  QueueLimits,
  QueueStats,
  WorkMessage,
  WorkStore,
} from '../ports/work-store.ts'
import type { Runtime } from '../runtime/index.ts'
import { type ConsumeOptions, type Consumer, consumer, type Handle } from './consumer.ts'

export interface QueueOptions<Payload> {
  /** What a payload must look like, on sending and on receiving. Any Standard Schema. */
  readonly schema?: Schema<Payload>
  /**
   * Version of the payload's definition, 1 to 1_000_000. Default 1. A consumer receives only the
   * versions it names, so that during a rolling deploy an old process never sees a new message.
   */
  readonly version?: number
  /** Other versions that consumers of this object also understand. Default none. */
  readonly accepts?: readonly number[]
  /** Unsettled messages at most. Default 1_000_000. */
  readonly lengthMax?: number
  /** What happens at `lengthMax`. Default `reject`: `send` throws `LimitExceededError`. */
  readonly overflow?: QueueLimits['overflow']
  /** How long a message id is remembered, so that sending again is safe. Default 600_000 (10 minutes). */
  readonly dedupMs?: number
}

export interface SendOptions {
  /**
   * Names this message, so that sending it again after an unknown outcome stores it once. Default:
   * random, which makes every call a new message. 1 to 200 characters.
   */
  readonly id?: string
  /** Messages of one key are handled one at a time, in the order sent. 1 to 200 characters. */
  readonly key?: string
  /** Not before this long from now. 0 to 100 years. Default 0. */
  readonly delayMs?: number
  /** 0 (first) to 9 (last). Default 5. Not together with `key`. */
  readonly priority?: number
  readonly headers?: Readonly<Record<string, string>>
}

export interface Sent {
  readonly id: string
  /** `duplicate`: this id was sent before within `dedupMs`; nothing was added. */
  readonly status: 'stored' | 'duplicate'
}

export interface Queue<Payload> {
  readonly name: string
  /**
   * Stores one message.
   * @throws {LimitExceededError} the queue is full: not applied. Slow down.
   * @throws {SchemaMismatchError} the payload does not match.
   * @throws {OutcomeUnknownError} it may be stored: send again with the same `id`.
   */
  send(payload: Payload, options?: SendOptions): Promise<Sent>
  /** Stores 1 to 1_000 messages, all or none, in this order. Errors as in `send`. */
  sendAll(
    messages: readonly (SendOptions & { readonly payload: Payload })[],
  ): Promise<readonly Sent[]>
  /**
   * Handles messages until the consumer is stopped. Returning acknowledges; throwing retries after a
   * growing pause, and after `attemptsMax` makes it a dead letter.
   */
  consume(handle: Handle<Payload>, options: ConsumeOptions): Promise<Consumer>
  stats(): Promise<QueueStats>
  deadLetters(page?: {
    readonly after?: string
    readonly limit?: number
  }): Promise<readonly DeadLetter[]>
  /** Puts dead letters back in order. @returns how many were moved. */
  redrive(ids: readonly string[]): Promise<number>
}

export interface QueueEnvironment {
  readonly runtime: Runtime
  readonly work: WorkStore
  readonly observer?: Observer
}

/** Opens a queue, creating it if it does not exist. The name is 1 to 200 characters. */
export function queue<Payload>(
  environment: QueueEnvironment,
  name: string,
  options: QueueOptions<Payload> = {},
): Queue<Payload> {
  const { runtime, work, observer = silentObserver } = environment
  const { schema, version = 1, accepts = [], overflow = 'reject' } = options
  const { lengthMax = 1_000_000, dedupMs = 600_000 } = options
  requireText('queue name', name, 200)
  for (const known of [version, ...accepts]) requireInteger('queue version', known, 1, 1_000_000)

  // Declared once, on first use; a failed declaration is tried again by the next call.
  let declared: Promise<void> | undefined
  const ready = (): Promise<void> => {
    declared ??= work.declare(name, { lengthMax, overflow, dedupMs }).catch((error: unknown) => {
      declared = undefined
      throw error
    })
    return declared
  }

  async function message(payload: Payload, sendOptions: SendOptions): Promise<WorkMessage> {
    const { id = runtime.random.id('message'), ...rest } = sendOptions
    await parseWith(schema, payload, `payload of queue "${name}"`)
    const body = JSON.stringify(payload)
    if (body === undefined) {
      throw new InvalidArgumentError(
        `payload of queue "${name}" is ${typeof payload}; expected a JSON value`,
      )
    }
    return { id, body, kind: kindOf(name, version), ...rest }
  }

  async function sendAll(
    messages: readonly (SendOptions & { readonly payload: Payload })[],
  ): Promise<readonly Sent[]> {
    requireInteger('number of messages', messages.length, 1, 1_000)
    await ready()
    const encoded = await Promise.all(
      messages.map(({ payload, ...sendOptions }) => message(payload, sendOptions)),
    )
    const answer = await work.publish(name, encoded)
    if (answer === 'full') {
      observer.count('queueRefused', { queue: name }, encoded.length)
      throw new LimitExceededError(
        `queue "${name}" holds its maximum of ${lengthMax} messages; send again later`,
        { details: { queue: name, lengthMax, retryAfterMs: 1_000 } },
      )
    }
    observer.count('queueSent', { queue: name }, encoded.length)
    return encoded.map(({ id }, index) => ({ id, status: answer[index] ?? 'stored' }))
  }

  observer.snapshot(`queues/${name}`, async () => ({ name, ...(await work.stats(name)) }))
  return {
    name,
    sendAll,
    async send(payload, sendOptions = {}) {
      const [sent] = await sendAll([{ ...sendOptions, payload }])
      if (sent === undefined) throw new InvalidArgumentError('nothing was sent')
      return sent
    },
    async consume(handle, consumeOptions) {
      await ready()
      const kinds = [version, ...accepts].map((known) => kindOf(name, known))
      const context = { runtime, work, observer, queue: name, kinds, schema }
      return consumer(context, handle, consumeOptions)
    },
    async stats() {
      await ready()
      return work.stats(name)
    },
    async deadLetters({ after, limit = 100 } = {}) {
      await ready()
      return work.deadLetters(name, after === undefined ? { limit } : { after, limit })
    },
    async redrive(ids) {
      await ready()
      return work.redrive(name, ids)
    },
  }
}

const kindOf = (name: string, version: number): string => `${name}@${version}`
