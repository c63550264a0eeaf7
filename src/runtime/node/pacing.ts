/**
 * When to try for the write lock again. SQLite keeps no line for it: whoever asks at the right moment
 * gets it. So those who wait ask often, with some chance in it so that they do not march in step, and
 * who has had it for long lets go for a moment.
 */
import { monotonicMs } from './clock.ts'

export interface Pacing {
  refused(): void
  granted(): void
  /** Nothing waits: the next run of turns begins anew. */
  rested(): void
  nextDelayMs(): number
}

/** Between two tries, at most. */
const stepMsMax = 8
const hogMs = 40
const breatheMs = 2

export function pacing(): Pacing {
  let refusals = 0
  let hogUntilMs = 0
  return {
    refused() {
      refusals++
    },
    granted() {
      refusals = 0
    },
    rested() {
      refusals = 0
      hogUntilMs = 0
    },
    nextDelayMs() {
      if (refusals > 0) return Math.min(stepMsMax, refusals) * (0.5 + Math.random())
      const nowMs = monotonicMs()
      if (hogUntilMs === 0) hogUntilMs = nowMs + hogMs
      if (nowMs < hogUntilMs) return 0
      hogUntilMs = 0
      return breatheMs
    },
  }
}
