/**
 * The messages a consumer has in its hands right now, and the one heartbeat that keeps all their
 * leases alive. A message leaves the hands when it is finished, or is dropped when its lease may have
 * gone to somebody else: then its signal aborts and nothing more is said about it.
 */
import { LeaseLostError, outcomeOf } from '../errors.ts'
import type { Observer } from '../observability/index.ts'
import { leaseDriftMargin } from '../ports/lease-store.ts'
import type { Delivery, WorkStore } from '../ports/work-store.ts'
import { type Runtime, sleep, type Timer } from '../runtime/index.ts'

export interface InHand {
  readonly delivery: Delivery
  readonly abort: AbortController
  readonly sinceMs: number
  /** Local monotonic time until which the message is surely ours. */
  validUntilMs: number
  /** Finished or dropped: nothing more may be said with its receipt. */
  over: boolean
}

export interface Hands {
  size(): number
  items(): readonly InHand[]
  take(delivery: Delivery): InHand
  /** The handler has ended; the hand is free. */
  free(item: InHand): void
  /** The message is not ours any more. */
  drop(item: InHand, why: Error): void
}

export interface HandsContext {
  readonly runtime: Runtime
  readonly work: WorkStore
  readonly observer: Observer
  readonly queue: string
}

export function hands(context: HandsContext, leaseMs: number, holdMaxMs: number): Hands {
  const { runtime, work, observer, queue } = context
  const held = new Map<string, InHand>()

  function drop(item: InHand, why: Error): void {
    if (item.over) return
    item.over = true
    observer.event('deliveryLost', { queue, id: item.delivery.message.id, why: why.message })
    item.abort.abort(why)
  }

  // The heartbeat may hang on a store that does not answer, so the end of a lease has a timer of its own:
  // one for all, at the earliest end it knew. What was extended meanwhile costs one look.
  let deadline: Timer | undefined
  let deadlineMs = Number.POSITIVE_INFINITY
  function watchEnd(untilMs: number): void {
    if (untilMs >= deadlineMs) return
    deadline?.cancel()
    deadlineMs = untilMs
    const delayMs = Math.max(0, untilMs - runtime.clock.monotonicMs())
    deadline = runtime.timers.schedule(delayMs, dropOverdue, { background: true })
  }

  function dropOverdue(): void {
    deadlineMs = Number.POSITIVE_INFINITY
    const nowMs = runtime.clock.monotonicMs()
    for (const item of held.values()) {
      if (item.over) continue
      if (nowMs >= item.validUntilMs) drop(item, lost(item, 'its lease ran out'))
      else watchEnd(item.validUntilMs)
    }
  }

  let beating = false
  function beat(): void {
    if (beating) return
    beating = true
    runtime.tasks.spawn(`heartbeat of queue ${queue}`, async () => {
      while (held.size > 0) {
        await sleep(runtime.timers, leaseMs / 3, { background: true })
        await extend()
      }
      beating = false
    })
  }

  async function extend(): Promise<void> {
    const startMs = runtime.clock.monotonicMs()
    for (const item of held.values()) {
      if (startMs - item.sinceMs > holdMaxMs)
        drop(item, lost(item, `after ${holdMaxMs} ms in hand`))
    }
    const alive = [...held.values()].filter((item) => !item.over)
    if (alive.length === 0) return
    const receipts = alive.map((item) => item.delivery.receipt)
    const answers = await work.extend(queue, receipts, leaseMs).catch((error: unknown) => {
      observer.event('heartbeatFailed', { queue, error: String(error), outcome: outcomeOf(error) })
      return undefined
    })
    const nowMs = runtime.clock.monotonicMs()
    alive.forEach((item, index) => {
      // Counted from before the request left, so it never promises too much.
      if (answers?.[index] === true) item.validUntilMs = startMs + leaseMs * (1 - leaseDriftMargin)
      const refused = answers?.[index] === false
      if (refused || nowMs >= item.validUntilMs) drop(item, lost(item, 'its lease ran out'))
    })
  }

  return {
    size: () => held.size,
    items: () => [...held.values()],
    drop,
    take(delivery) {
      const sinceMs = runtime.clock.monotonicMs()
      const { validUntilMs } = delivery
      const item = { delivery, abort: new AbortController(), sinceMs, validUntilMs, over: false }
      held.set(delivery.receipt, item)
      watchEnd(validUntilMs)
      beat()
      return item
    },
    free(item) {
      held.delete(item.delivery.receipt)
      if (held.size > 0) return
      deadline?.cancel()
      deadlineMs = Number.POSITIVE_INFINITY
    },
  }
}

function lost(item: InHand, why: string): LeaseLostError {
  return new LeaseLostError(`message ${item.delivery.message.id} is no longer ours: ${why}`)
}
