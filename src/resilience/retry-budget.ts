/**
 * A retry budget is a purse that all callers of a service share. Every request puts a coin's fraction
 * in, every retry takes a whole coin out. While little fails, there is always a coin; when everything
 * fails, the purse is soon empty and the load on the sick service stays near that of the requests
 * themselves, instead of being multiplied by the number of attempts.
 *
 * Over any stretch of time: retries ≤ ratio · requests + minPerSecond · seconds + burstMax.
 *
 * The idea is Finagle's `RetryBudget`; see also the Google SRE book, chapter 21, "Retry budgets".
 */
import { InvalidArgumentError } from '../errors.ts'
import { requireInteger } from '../ports/arguments.ts'
import type { Runtime } from '../runtime/runtime.ts'

export interface RetryBudgetOptions {
  /** Retries allowed per request, 0 to 10. Default 0.1: at most a tenth more load. */
  readonly ratio?: number
  /** Retries allowed however few the requests, per second, 0 to 1_000. Default 1. */
  readonly minPerSecond?: number
  /** The most that can be saved up, 1 to 100_000. Default 10. The purse starts full. */
  readonly burstMax?: number
}

export interface RetryBudget {
  /** A first attempt begins: pays in. */
  requested(): void
  /** @returns whether one retry may be made, and if so takes its coin. */
  tryTake(): boolean
  /** What could be taken now, for gauges. */
  balance(): number
}

/** @throws {InvalidArgumentError} */
export function retryBudget(
  runtime: Pick<Runtime, 'clock'>,
  options: RetryBudgetOptions = {},
): RetryBudget {
  const { ratio = 0.1, minPerSecond = 1, burstMax = 10 } = options
  requireRange('ratio', ratio, 10)
  requireRange('minPerSecond', minPerSecond, 1_000)
  requireInteger('burstMax', burstMax, 1, 100_000)
  const { clock } = runtime
  let coins = burstMax
  let countedMs = clock.monotonicMs()

  // Only retries look at the clock: a request that succeeds should not pay for one that does not.
  function balance(): number {
    const nowMs = clock.monotonicMs()
    coins = Math.min(burstMax, coins + ((nowMs - countedMs) * minPerSecond) / 1_000)
    countedMs = nowMs
    return coins
  }

  return {
    requested() {
      coins = Math.min(burstMax, coins + ratio)
    },
    tryTake() {
      if (balance() < 1) return false
      coins -= 1
      return true
    },
    balance,
  }
}

function requireRange(subject: string, value: number, max: number): void {
  if (value >= 0 && value <= max) return
  throw new InvalidArgumentError(`${subject} is ${value}; expected a number from 0 to ${max}`, {
    details: { subject, value: String(value), min: 0, max },
  })
}
