/**
 * A bell is rung by whoever has news and waited for by one who sleeps otherwise. A ring that comes
 * while nobody waits is kept, so news between two waits is not slept through.
 */
import type { Timers } from '../../runtime/clock.ts'

export interface Bell {
  ring(): void
  /** Resolves after a ring, when the time is over, or on abort. Leaves no timer and no listener. */
  wait(delayMs: number, signal: AbortSignal): Promise<void>
}

export function bell(timers: Timers): Bell {
  let rung = false
  let wakeUp: (() => void) | undefined
  return {
    ring() {
      rung = true
      wakeUp?.()
    },
    wait(delayMs, signal) {
      return new Promise((resolve) => {
        const done = (): void => {
          rung = false
          wakeUp = undefined
          timer?.cancel()
          signal.removeEventListener('abort', done)
          resolve()
        }
        let timer: { cancel(): void } | undefined
        if (rung || signal.aborted) return done()
        wakeUp = done
        timer = timers.schedule(delayMs, done, { background: true })
        signal.addEventListener('abort', done, { once: true })
      })
    },
  }
}
