/**
 * Trying again helps when the failure was passing and the work can bear being done twice; in every
 * other case it does harm. So the first question after a failure is always "did it happen?":
 *
 *   not-applied  try again
 *   unknown      try again only if the work is `idempotent`: the other side recognises a repetition
 *   invalid      never: the answer would be the same
 *
 * The second question is whether there is time, and the third whether the shared budget allows it.
 */
import {
  CancelledError,
  HoldfastError,
  isHoldfastError,
  type Outcome,
  outcomeOf,
} from '../errors.ts'
import { type Observer, silentObserver } from '../observability/observer.ts'
import { requireInteger } from '../ports/arguments.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { sleep } from '../runtime/sleep.ts'
import { AttemptScope, isAborted } from './attempt-scope.ts'
import { type Backoff, nextPauseMs, requireBackoff } from './backoff.ts'
import type { ExecuteOptions, Policy } from './policy.ts'
import type { RetryBudget } from './retry-budget.ts'

export interface RetryOptions {
  /** The first attempt included, 1 to 100. */
  readonly attemptsMax: number
  readonly backoff: Backoff
  /** Shared by all callers of one service. Absent: only `attemptsMax` bounds the load. */
  readonly budget?: RetryBudget
  /** Replaces the rule by outcome, except that `invalid` is never retried. */
  readonly retryOn?: (error: unknown) => boolean
  /** Does the other side do repeated work only once? Default `false`. */
  readonly idempotent?: boolean
  /** An attempt is not begun with less time than this left before the deadline. Default 1. */
  readonly attemptMinMs?: number
  /**
   * A server may ask for a longer pause by `details.retryAfterMs`. It is obeyed up to this; beyond it
   * the caller gets the error at once. 0 to 86_400_000, default 60_000.
   */
  readonly retryAfterMaxMs?: number
  /** Retry also when the caller's own request is a retry already? Default `false`: one layer retries. */
  readonly retryRetries?: boolean
  readonly observer?: Observer
}

/** Why no further attempt was made. */
export type RetryStop =
  | 'attempts'
  | 'budget'
  | 'deadline'
  | 'retry-after'
  | 'not-retryable'
  | 'caller-retries'
  | 'cancelled'

/**
 * Tries the work again after failures that allow it. Before each further attempt the signal of the
 * last one aborts.
 *
 * `execute` throws the work's own error if there was one attempt only. After several it throws a
 * `HoldfastError` with code `retries-exhausted`: its `cause` is an `AggregateError` of all failures in
 * order, `details` has `attempts` and `stoppedBy`, and its outcome is `unknown` if any attempt's was,
 * because that attempt may have taken effect. `CancelledError` if the caller had aborted before the
 * first attempt.
 */
export function retryPolicy(
  runtime: Pick<Runtime, 'clock' | 'timers' | 'random'>,
  options: RetryOptions,
): Policy {
  const { attemptsMax, backoff, budget, retryRetries = false, observer = silentObserver } = options
  const { attemptMinMs = 1, retryAfterMaxMs = 60_000 } = options
  requireInteger('attemptsMax', attemptsMax, 1, 100)
  requireInteger('attemptMinMs', attemptMinMs, 0, 86_400_000)
  requireInteger('retryAfterMaxMs', retryAfterMaxMs, 0, 86_400_000)
  requireBackoff(backoff)

  /** The pause before the next attempt, or why there is none. The budget is asked last: it pays. */
  function decide(
    failures: readonly unknown[],
    lastMs: number,
    caller: ExecuteOptions,
  ): number | RetryStop {
    const error = failures.at(-1)
    if (isAborted(caller)) return 'cancelled'
    if (!isRetryable(error, options)) return 'not-retryable'
    if (failures.length >= attemptsMax) return 'attempts'
    if ((caller.attempt ?? 1) > 1 && !retryRetries) return 'caller-retries'
    const askedMs = retryAfterMsOf(error)
    if (askedMs > retryAfterMaxMs) return 'retry-after'
    const pauseMs = Math.max(askedMs, nextPauseMs(backoff, runtime.random, failures.length, lastMs))
    const remainingMs = caller.remainingMs?.()
    if (remainingMs !== undefined && pauseMs + attemptMinMs > remainingMs) return 'deadline'
    if (budget !== undefined && !budget.tryTake()) return 'budget'
    return pauseMs
  }

  /** Everything after the first failure: kept apart so that success does not pay for it. */
  async function again<T>(
    work: (context: AttemptScope) => Promise<T>,
    caller: ExecuteOptions,
    failures: unknown[],
  ): Promise<T> {
    const firstAttempt = caller.attempt ?? 1
    for (let pauseMs = 0; ; ) {
      const next = decide(failures, pauseMs, caller)
      if (typeof next === 'string') throw gaveUp(failures, next, observer)
      pauseMs = next
      try {
        await sleep(runtime.timers, pauseMs, { signal: caller.signal })
      } catch {
        throw gaveUp(failures, 'cancelled', observer)
      }
      observer.count('retries')
      const scope = new AttemptScope(caller, firstAttempt + failures.length)
      try {
        const value = await work(scope)
        scope.finish()
        return value
      } catch (error) {
        scope.abort(error)
        failures.push(error)
      }
    }
  }

  return {
    async execute(work, caller = {}) {
      if (isAborted(caller)) {
        throw new CancelledError('aborted before the first attempt', {
          cause: caller.signal?.reason,
        })
      }
      budget?.requested()
      const scope = new AttemptScope(caller, caller.attempt ?? 1)
      try {
        const value = await work(scope)
        scope.finish()
        return value
      } catch (error) {
        scope.abort(error)
        return again(work, caller, [error])
      }
    },
  }
}

function isRetryable(error: unknown, { retryOn, idempotent = false }: RetryOptions): boolean {
  const outcome = outcomeOf(error)
  if (outcome === 'invalid') return false
  if (retryOn !== undefined) return retryOn(error)
  // An object that is closed stays closed, and a caller that cancelled wants no more.
  if (isHoldfastError(error) && terminalCodes.has(error.code)) return false
  return outcome === 'not-applied' || idempotent
}

const terminalCodes: ReadonlySet<string> = new Set(['closed', 'cancelled', 'lease-lost'])

function retryAfterMsOf(error: unknown): number {
  const asked = isHoldfastError(error) ? error.details.retryAfterMs : undefined
  return typeof asked === 'number' && asked > 0 ? asked : 0
}

function gaveUp(failures: readonly unknown[], stoppedBy: RetryStop, observer: Observer): unknown {
  observer.event('retriesStopped', { stoppedBy, attempts: failures.length })
  const last = failures.at(-1)
  if (failures.length === 1) return last
  const outcomes = failures.map(outcomeOf)
  const outcome: Outcome = outcomes.includes('unknown') ? 'unknown' : outcomeOf(last)
  return new HoldfastError(
    'retries-exhausted',
    outcome,
    `gave up after ${failures.length} attempts (${stoppedBy}): ${messageOf(last)}`,
    {
      cause: new AggregateError(failures, 'the failure of each attempt, in order'),
      details: { attempts: failures.length, stoppedBy },
    },
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
