/**
 * Items are begun in order but finish in any order. The bookmark may only stand where everything before
 * it is done, so it follows the longest finished run from the front: one slow item holds it back, and the
 * window bounds how much work that can make us repeat after a crash.
 *
 *      done  done  busy  done  done  busy
 *      10    11    12    13    14    15         the bookmark is at 11; finishing 12 moves it to 14
 *
 * Numbers may have gaps (a compacted log, a filter): what was never begun below the front is taken not to
 * exist. Moving the bookmark is a durable write, so it is done once for many items: after `flushEvery` of
 * them or `flushAfterMs`, whichever is first. Both only bound how much is repeated after a crash.
 */
import {
  CancelledError,
  ClosedError,
  InvalidArgumentError,
  isHoldfastError,
  LeaseLostError,
  LimitExceededError,
} from '../errors.ts'
import { type Observer, silentObserver } from '../observability/index.ts'
import { requireInteger } from '../ports/arguments.ts'
import type { Runtime, Timer } from '../runtime/index.ts'
import type { Position } from './position.ts'

export interface TrackerOptions {
  /** Items begun and not yet passed by the front, 1 to 100_000. Default 1_000. */
  readonly windowMax?: number
  /** Move the bookmark after this many items, 1 to 100_000. Default 100. */
  readonly flushEvery?: number
  /** Move it at the latest this long after an item was passed, 1 to 3_600_000. Default 1_000. */
  readonly flushAfterMs?: number
  readonly observer?: Observer
}

export interface Tracker {
  /**
   * Says that work on the item starts, waiting while the window is full. Items must come in growing
   * order, all above `position.value`; those that wait are let in in that order.
   * @throws {LeaseLostError} another generation owns the position: stop.
   * @throws {LimitExceededError} as many items as the window holds already wait for it.
   * @throws {CancelledError | ClosedError | InvalidArgumentError}
   */
  begin(item: bigint, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Says that the item's effect is durable. An item that failed is simply not finished. */
  finish(item: bigint): void
  /** All items up to and including this one are finished; the bookmark follows. */
  front(): bigint
  /** Aborts with a `LeaseLostError` when the position turns out to belong to a newer generation. */
  readonly lost: AbortSignal
  /** Moves the bookmark to the front now. @returns `false`: a newer generation owns it. */
  flush(): Promise<boolean>
  /** Takes no more items and flushes what is finished. Safe to repeat. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

interface Waiter {
  readonly item: bigint
  readonly enter: () => void
  readonly refuse: (reason: unknown) => void
}

export function tracker(
  runtime: Runtime,
  position: Position,
  options: TrackerOptions = {},
): Tracker {
  const { windowMax = 1_000, flushEvery = 100, flushAfterMs = 1_000 } = options
  const { observer = silentObserver } = options
  requireInteger('windowMax', windowMax, 1, 100_000)
  requireInteger('flushEvery', flushEvery, 1, 100_000)
  requireInteger('flushAfterMs', flushAfterMs, 1, 3_600_000)
  const { name, generation } = position
  const lost = new AbortController()
  /** Begun and not passed, in growing order; true: finished. */
  const window = new Map<bigint, boolean>()
  const waiters = new Set<Waiter>()
  let begun = position.value
  let front = position.value
  let passedSinceFlush = 0
  let timer: Timer | undefined
  let flushing: Promise<boolean> = Promise.resolve(true)
  let closed = false

  function admit(item: bigint): void {
    begun = item
    window.set(item, false)
  }

  /** First come, first in: an item let in ahead of a smaller one would let the front jump over it. */
  function admitWaiters(): void {
    for (const waiter of waiters) {
      if (window.size >= windowMax) return
      waiters.delete(waiter)
      admit(waiter.item)
      waiter.enter()
    }
  }

  function refuseWaiters(reason: unknown): void {
    for (const waiter of waiters) waiter.refuse(reason)
    waiters.clear()
  }

  function begin(item: bigint, signal: AbortSignal | undefined): Promise<void> {
    const last = waiters.size === 0 ? begun : (Array.from(waiters).at(-1)?.item ?? begun)
    if (item <= last) {
      throw new InvalidArgumentError(`item ${item} came after ${last}; expected growing items`)
    }
    // Nobody waits while there is room: `pass` lets them in before it returns.
    if (window.size < windowMax) {
      admit(item)
      return Promise.resolve()
    }
    if (waiters.size >= windowMax) {
      throw new LimitExceededError(`${windowMax} items already wait for room in the window`)
    }
    return standInLine(waiters, item, signal)
  }

  function lose(): void {
    if (lost.signal.aborted) return
    timer?.cancel()
    observer.event('positionLost', { name, generation: String(generation) })
    lost.abort(new LeaseLostError(`position "${name}" belongs to a newer generation`))
    refuseWaiters(lost.signal.reason)
  }

  function closedError(): ClosedError {
    return new ClosedError(`the tracker of position "${name}" is closed`)
  }

  async function moveBookmark(): Promise<boolean> {
    if (lost.signal.aborted) return false
    timer?.cancel()
    timer = undefined
    passedSinceFlush = 0
    const target = front
    if (position.generation === generation && (await position.advance(target))) return true
    lose()
    return false
  }

  /** One at a time: overlapping writes of one bookmark could only meet each other. */
  function flush(): Promise<boolean> {
    flushing = flushing.then(moveBookmark, moveBookmark)
    return flushing
  }

  function flushInBackground(): void {
    runtime.tasks.spawn('position-flush', async () => {
      await flush().catch((error: unknown) => {
        if (!isHoldfastError(error)) throw error
        // The store is out of reach: the bookmark lags, nothing is lost. Try again in a while.
        observer.event('positionFlushFailed', { name, error: error.message })
        flushLater()
      })
    })
  }

  function flushLater(): void {
    if (closed || lost.signal.aborted) return
    timer ??= runtime.timers.schedule(flushAfterMs, () => {
      timer = undefined
      flushInBackground()
    })
  }

  /** Moves the front over the finished run. */
  function pass(): void {
    for (const [item, finished] of window) {
      if (!finished) break
      window.delete(item)
      front = item
      passedSinceFlush += 1
    }
    if (passedSinceFlush === 0) return
    admitWaiters()
    if (passedSinceFlush >= flushEvery) flushInBackground()
    else flushLater()
  }

  async function close(): Promise<void> {
    closed = true
    refuseWaiters(closedError())
    timer?.cancel()
    if (!lost.signal.aborted) await flush()
  }

  return {
    lost: lost.signal,
    front: () => front,
    async begin(item, { signal } = {}) {
      if (lost.signal.aborted) throw lost.signal.reason
      if (closed) throw closedError()
      await begin(item, signal)
    },
    finish(item) {
      if (window.get(item) === false) window.set(item, true)
      pass()
    },
    flush,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function standInLine(
  waiters: Set<Waiter>,
  item: bigint,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => {
      waiters.delete(waiter)
      reject(new CancelledError('waiting for room was aborted', { cause: signal?.reason }))
    }
    const waiter: Waiter = {
      item,
      enter() {
        signal?.removeEventListener('abort', cancel)
        resolve()
      },
      refuse(reason) {
        signal?.removeEventListener('abort', cancel)
        reject(reason)
      },
    }
    if (signal?.aborted) return cancel()
    waiters.add(waiter)
    signal?.addEventListener('abort', cancel, { once: true })
  })
}
