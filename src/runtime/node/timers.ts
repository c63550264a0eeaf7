/**
 * Timers that keep two promises which `setTimeout` does not: a delay above 24.8 days does not fire at
 * once, and no timer fires before its time on the monotonic clock (the event loop counts whole
 * milliseconds and can be early by a fraction of one).
 */
import { InvalidArgumentError } from '../../errors.ts'
import type { Timer, TimerOptions, Timers } from '../clock.ts'
import { monotonicMs } from './clock.ts'

/** The most that `setTimeout` can count: above it, it fires after 1 ms. */
const chunkMs = 2 ** 31 - 1
const delayMsMax = 100 * 366 * 86_400_000

export interface NodeTimers extends Timers {
  /** Cancels all: after it nothing fires. */
  close(): void
}

export function nodeTimers(): NodeTimers {
  const pending = new Set<{ handle: NodeJS.Timeout }>()
  let closed = false

  function schedule(delayMs: number, callback: () => void, options: TimerOptions = {}): Timer {
    if (!(delayMs >= 0 && delayMs <= delayMsMax)) {
      throw new InvalidArgumentError(`delayMs is ${delayMs}; expected 0 to ${delayMsMax}`)
    }
    if (closed) return { cancel() {} }
    const dueMs = monotonicMs() + delayMs
    const arm = (leftMs: number): NodeJS.Timeout => {
      const handle = setTimeout(fire, Math.min(chunkMs, Math.ceil(leftMs)))
      return options.background ? handle.unref() : handle
    }
    const fire = (): void => {
      const leftMs = dueMs - monotonicMs()
      if (leftMs > 0) {
        timer.handle = arm(leftMs)
        return
      }
      pending.delete(timer)
      callback()
    }
    const timer = { handle: arm(delayMs) }
    pending.add(timer)
    return {
      cancel() {
        clearTimeout(timer.handle)
        pending.delete(timer)
      },
    }
  }

  return {
    schedule,
    close() {
      closed = true
      for (const { handle } of pending) clearTimeout(handle)
      pending.clear()
    },
  }
}
