/**
 * Standing in line without a stampede: if a thousand wait for a name and it becomes free, one should ask,
 * not a thousand. A store that keeps the line itself (`fairness: 'fifo'`) knows who is first and wakes
 * only that one. For any other store the waiters of one process form a line here, with one watch, and
 * only its first is told. Everybody else keeps polling slowly, which also covers hints that get lost.
 *
 * The line is about asking, not about fairness: who gets the name is the store's decision.
 */
import { LimitExceededError } from '../errors.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import type { Runtime } from '../runtime/index.ts'

/** Calls of one process that may wait at the same time, over all names. */
export const waitersMax = 10_000

export interface Place {
  /** Resolves when it is time to ask again: told so, `pollMs` are over, or the signal aborted. */
  turn(pollMs: number, signal: AbortSignal | undefined): Promise<void>
  /** Leaves nothing behind. Who leaves empty-handed passes what he was told on to the next. */
  leave(emptyHanded: boolean): void
}

interface Waiter {
  told: boolean
  wake: (() => void) | undefined
}

interface Line {
  readonly waiters: Set<Waiter>
  readonly stop: () => void
}

interface Hall {
  readonly lines: WeakMap<LeaseStore, Map<string, Line>>
  waiting: number
}

// Keyed by runtime, because one realm can hold many processes of a simulated world.
const halls = new WeakMap<Runtime, Hall>()

/** @throws {LimitExceededError} more than `waitersMax` wait already. */
export function joinLine(
  runtime: Runtime,
  store: LeaseStore,
  name: string,
  attemptId: string,
): Place {
  const hall = hallOf(runtime)
  if (hall.waiting >= waitersMax) {
    throw new LimitExceededError(`${waitersMax} calls of this process already wait for leases`)
  }
  // Told already: the name may have become free between the refusal and the watch.
  const waiter: Waiter = { told: true, wake: undefined }
  const line =
    store.capabilities.fairness === 'fifo'
      ? ownLine(store, name, attemptId, waiter)
      : sharedLine(linesOf(hall, store), store, name)
  line.waiters.add(waiter)
  hall.waiting += 1

  return {
    turn(pollMs, signal) {
      if (waiter.told || signal?.aborted) {
        waiter.told = false
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        const wake = (): void => {
          timer.cancel()
          signal?.removeEventListener('abort', wake)
          waiter.wake = undefined
          waiter.told = false
          resolve()
        }
        const timer = runtime.timers.schedule(pollMs, wake)
        signal?.addEventListener('abort', wake, { once: true })
        waiter.wake = wake
      })
    },
    leave(emptyHanded) {
      if (!line.waiters.delete(waiter)) return
      hall.waiting -= 1
      if (line.waiters.size === 0) line.stop()
      else if (emptyHanded) tellFirst(line)
    },
  }
}

/** How many calls of this process wait now; for tests and gauges. */
export function waitersNow(runtime: Runtime): number {
  return halls.get(runtime)?.waiting ?? 0
}

function ownLine(store: LeaseStore, name: string, attemptId: string, waiter: Waiter): Line {
  return { waiters: new Set(), stop: store.watch(name, () => tell(waiter), attemptId) }
}

function sharedLine(lines: Map<string, Line>, store: LeaseStore, name: string): Line {
  const existing = lines.get(name)
  if (existing !== undefined) return existing
  const waiters = new Set<Waiter>()
  const unwatch = store.watch(name, () => tellFirst(line))
  const stop = (): void => {
    lines.delete(name)
    unwatch()
  }
  const line: Line = { waiters, stop }
  lines.set(name, line)
  return line
}

function tellFirst(line: Line): void {
  const [first] = line.waiters
  if (first !== undefined) tell(first)
}

function tell(waiter: Waiter): void {
  waiter.told = true
  waiter.wake?.()
}

function hallOf(runtime: Runtime): Hall {
  const existing = halls.get(runtime)
  if (existing !== undefined) return existing
  const hall: Hall = { lines: new WeakMap(), waiting: 0 }
  halls.set(runtime, hall)
  return hall
}

function linesOf(hall: Hall, store: LeaseStore): Map<string, Line> {
  const existing = hall.lines.get(store)
  if (existing !== undefined) return existing
  const lines = new Map<string, Line>()
  hall.lines.set(store, lines)
  return lines
}
