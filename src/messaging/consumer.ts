/**
 * The consumer keeps its hands full but never fuller than `concurrency`: it claims as many messages as
 * it has free hands, keeps their leases alive with one heartbeat for all, and gives each back with the
 * receipt of its own delivery.
 *
 * Settlements that fall into one turn of the event loop leave as one batch, in the same commit as the
 * next claim: under load an acknowledgement costs a fraction of a disk sync.
 */
import { ClosedError, outcomeOf } from '../errors.ts'
import { requireInteger } from '../ports/arguments.ts'
import { parseWith, type Schema } from '../ports/schema.ts'
import type { Settlement, WorkMessage } from '../ports/work-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { type DeliveryContext, RejectMessageError, reasonOf } from './delivery.ts'
import { doorbell } from './doorbell.ts'
import { type HandsContext, hands, type InHand } from './hands.ts'
import { type Settler, settler } from './settler.ts'

export type Handle<Payload> = (payload: Payload, delivery: DeliveryContext) => Promise<void> | void

export interface ConsumeOptions {
  /** Messages in hand at most, 1 to 10_000. */
  readonly concurrency: number
  /**
   * How long after its process's death a message goes to somebody else. Extended by heartbeat while the
   * handler runs. Shorter: faster recovery, more heartbeats. 100 to 86_400_000. Default 30_000.
   */
  readonly leaseMs?: number
  /** Deliveries before a message becomes a dead letter, 1 to 1_000_000. Default 10. */
  readonly attemptsMax?: number
  /** Pause before the retry after this attempt. Default 200 ms doubled each time, at most 60 s, with jitter. */
  readonly retryDelayMs?: (attempt: number) => number
  /** A handler that has not ended by then loses the message. Default 900_000 (15 minutes). */
  readonly holdMaxMs?: number
  /** For people. Default: the process's name. */
  readonly consumer?: string
}

export interface Consumer {
  /** Messages in hand now. */
  inFlight(): number
  /**
   * Claims no more, waits up to `drainMs` (default 10_000) for handlers, then aborts them and gives
   * their messages back without counting the attempt. Safe to repeat.
   */
  stop(options?: { readonly drainMs?: number }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface ConsumerContext<Payload> extends HandsContext {
  readonly kinds: readonly string[]
  readonly schema: Schema<Payload> | undefined
}

/** Starts consuming. See `Queue.consume`. */
export function consumer<Payload>(
  context: ConsumerContext<Payload>,
  handle: Handle<Payload>,
  options: ConsumeOptions,
): Consumer {
  const { runtime, work, observer, queue, kinds } = context
  const { concurrency, leaseMs = 30_000, holdMaxMs = 900_000 } = options
  const { consumer: label = runtime.identity.process } = options
  requireInteger('concurrency', concurrency, 1, 10_000)
  requireInteger('leaseMs', leaseMs, 100, 86_400_000)
  requireInteger('holdMaxMs', holdMaxMs, 1, 864_000_000)
  const judge = verdicts(context, options)

  const inHand = hands(context, leaseMs, holdMaxMs)
  const stopping = new AbortController()
  const bell = doorbell()
  const unwatch = work.watch(queue, bell.ring)
  const settlements = settler(context)
  const pause = growingPause(runtime)

  async function process(item: InHand): Promise<void> {
    const settlement = await attempt(context, handle, item).catch((error: unknown) =>
      judge(item, error),
    )
    if (!item.over) {
      item.over = true
      await settlements.settle(settlement, item.validUntilMs)
    }
    inHand.free(item)
    bell.ring()
  }

  /** @returns whether to look again at once. */
  async function claim(limit: number): Promise<boolean> {
    const request = { limit: Math.min(limit, 1_000), leaseMs, consumer: label, kinds }
    const deliveries = await work.claim(queue, request)
    for (const delivery of deliveries) {
      const item = inHand.take(delivery)
      runtime.tasks.spawn(`message of queue ${queue}`, () => process(item))
    }
    return deliveries.length > 0
  }

  async function run(): Promise<void> {
    const { signal } = stopping
    let failures = 0
    while (!signal.aborted) {
      const heard = bell.rings()
      const free = concurrency - inHand.size()
      try {
        const more = free > 0 && (await claim(free))
        failures = 0
        if (!more) await bell.wait(heard, signal)
      } catch (error) {
        // A claim with unknown outcome leases messages to nobody: they come back when that expires.
        failures += 1
        observer.event('claimFailed', { queue, error: String(error), outcome: outcomeOf(error) })
        await sleep(runtime.timers, pause(failures), { signal, background: true }).catch(() => {})
      }
    }
  }

  const running = run()
  const withdraw = observer.snapshot(`consumers/${queue}`, () => ({
    consumer: label,
    inHand: inHand.size(),
    concurrency,
  }))

  async function stopNow(drainMs: number): Promise<void> {
    stopping.abort(new ClosedError(`the consumer of queue "${queue}" stops`))
    unwatch()
    withdraw()
    await running
    await untilEmpty(runtime, drainMs, bell, inHand.size)
    await giveBack(inHand.items(), inHand.drop, settlements)
  }

  let stopped: Promise<void> | undefined
  const stop = ({ drainMs = 10_000 }: { readonly drainMs?: number } = {}): Promise<void> => {
    stopped ??= stopNow(drainMs)
    return stopped
  }
  return { inFlight: inHand.size, stop, [Symbol.asyncDispose]: () => stop() }
}

async function attempt<Payload>(
  context: ConsumerContext<Payload>,
  handle: Handle<Payload>,
  { delivery, abort }: InHand,
): Promise<Settlement> {
  const { message, receipt, attempt: tried, waitedMs } = delivery
  const payload = await decode(context, message)
  const { id, key, headers = {} } = message
  await handle(payload, { id, key, headers, attempt: tried, waitedMs, signal: abort.signal })
  return { receipt, outcome: 'done' }
}

async function decode<Payload>(
  { schema, queue }: ConsumerContext<Payload>,
  { id, body }: WorkMessage,
): Promise<Payload> {
  try {
    return await parseWith(schema, JSON.parse(body), `message ${id} of queue "${queue}"`)
  } catch (error) {
    // A payload that does not match now will not match later: a retry would only delay others.
    const reason = error instanceof Error ? error.message : String(error)
    throw new RejectMessageError(reason, { cause: error })
  }
}

/** What becomes of a message whose handler threw. */
function verdicts<Payload>(
  { runtime, observer, queue }: ConsumerContext<Payload>,
  { attemptsMax = 10, retryDelayMs = growingPause(runtime) }: ConsumeOptions,
): (item: InHand, error: unknown) => Settlement {
  requireInteger('attemptsMax', attemptsMax, 1, 1_000_000)
  return ({ delivery: { receipt, attempt: tried, message } }, error) => {
    const reason = reasonOf(error)
    if (error instanceof RejectMessageError || tried >= attemptsMax) {
      observer.event('messageDied', { queue, id: message.id, attempt: tried })
      observer.count('queueDead', { queue })
      return { receipt, outcome: 'dead', reason }
    }
    observer.count('queueRetried', { queue })
    return { receipt, outcome: 'retry', delayMs: Math.round(retryDelayMs(tried)), reason }
  }
}

async function untilEmpty(
  runtime: Runtime,
  drainMs: number,
  bell: ReturnType<typeof doorbell>,
  size: () => number,
): Promise<void> {
  const timeUp = new AbortController()
  const timer = runtime.timers.schedule(drainMs, () => timeUp.abort())
  while (size() > 0 && !timeUp.signal.aborted) await bell.wait(bell.rings(), timeUp.signal)
  timer.cancel()
}

async function giveBack(
  items: readonly InHand[],
  drop: (item: InHand, why: Error) => void,
  settlements: Settler,
): Promise<void> {
  const left = items.filter((item) => !item.over)
  for (const item of left) drop(item, new ClosedError('the consumer stopped'))
  const returned = left.map(({ delivery: { receipt }, validUntilMs }) => {
    const reason = 'the consumer stopped'
    const settlement = { receipt, outcome: 'retry', delayMs: 0, reason, counts: false } as const
    return settlements.settle(settlement, validUntilMs)
  })
  await Promise.all(returned)
}

function growingPause(runtime: Runtime): (attempt: number) => number {
  return (tried) => {
    const capMs = Math.min(60_000, 200 * 2 ** Math.min(tried - 1, 20))
    return capMs / 2 + (runtime.random.fraction('queue-retry') * capMs) / 2
  }
}
