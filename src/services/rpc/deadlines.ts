/**
 * Many deadlines, one timer. Most calls end long before their deadline, so a timer for each would be
 * set and cancelled for nothing; here the timer stands at the earliest deadline it knew, and what has
 * ended meanwhile costs nothing when it fires.
 */
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'

export interface Expiring {
  /** On the monotonic clock. */
  readonly deadlineMs: number
}

export interface Deadlines<Item extends Expiring> {
  add(item: Item): void
  remove(item: Item): void
  readonly size: number
  close(): void
}

export function deadlines<Item extends Expiring>(
  { clock, timers }: Runtime,
  expire: (item: Item) => void,
): Deadlines<Item> {
  const items = new Set<Item>()
  let timer: Timer | undefined
  let firesAtMs = Number.POSITIVE_INFINITY

  function arm(deadlineMs: number, nowMs: number): void {
    timer?.cancel()
    firesAtMs = deadlineMs
    // Never sooner than 1 ms, so that many different deadlines cost at most 1_000 looks a second.
    // In the background: it outlives the calls, and a call under way has a socket that keeps us alive.
    timer = timers.schedule(Math.max(1, deadlineMs - nowMs), fire, { background: true })
  }

  function fire(): void {
    timer = undefined
    firesAtMs = Number.POSITIVE_INFINITY
    const nowMs = clock.monotonicMs()
    let next = Number.POSITIVE_INFINITY
    for (const item of items) {
      if (item.deadlineMs > nowMs) next = Math.min(next, item.deadlineMs)
      else if (items.delete(item)) expire(item)
    }
    if (items.size > 0 && next < firesAtMs) arm(next, nowMs)
  }

  return {
    add(item) {
      items.add(item)
      if (item.deadlineMs < firesAtMs) arm(item.deadlineMs, clock.monotonicMs())
    },
    remove(item) {
      items.delete(item)
    },
    get size() {
      return items.size
    },
    close() {
      timer?.cancel()
      timer = undefined
      firesAtMs = Number.POSITIVE_INFINITY
      items.clear()
    },
  }
}
