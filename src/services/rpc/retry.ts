/**
 * When a call may be tried again. The rule that no option can bend: after `not-applied` always, after
 * `unknown` only if the procedure is declared idempotent, after `invalid` never.
 */
import { type HoldfastError, type Outcome, OutcomeUnknownError } from '../../errors.ts'
import { RpcApplicationError, rebuildError } from './rpc-error.ts'

/** How often and when. */
export interface RetryPolicy {
  /** With the first one. 1 to 20. */
  readonly attemptsMax: number
  /** The pause in ms after this many attempts (1, 2, …) have failed, jitter included. */
  backoff(attempt: number): number
  readonly budget: RetryBudget
}

/**
 * The part used here of `retryBudget` from resilience: shared by many callers, so that retries never
 * multiply the load on a service in trouble.
 */
export interface RetryBudget {
  /** A first attempt begins. */
  requested(): void
  /** Takes the right to one retry. `false`: no retries for now. */
  tryTake(): boolean
}

export function mayRetry(error: HoldfastError, idempotent: boolean): boolean {
  return error.outcome === 'not-applied' || (error.outcome === 'unknown' && idempotent)
}

/** What the server asked for, if anything. */
export function retryAfterMsOf(error: HoldfastError): number {
  const wanted = error.details.retryAfterMs
  return typeof wanted === 'number' && wanted > 0 ? Math.min(wanted, 60_000) : 0
}

/**
 * The error of a call after all its attempts. If the outcome of any attempt is unknown then so is the
 * outcome of the call, even though the last attempt was refused.
 */
export function errorOfAttempts(errors: readonly HoldfastError[]): HoldfastError {
  const last = errors.at(-1) ?? new OutcomeUnknownError('the call was not made')
  if (errors.length <= 1) return last
  const outcome: Outcome = errors.some((error) => error.outcome === 'unknown')
    ? 'unknown'
    : last.outcome
  const options = {
    cause: new AggregateError(errors),
    details: { ...last.details, attempts: errors.length, codes: errors.map(({ code }) => code) },
  }
  const message = `${last.message} (attempt ${errors.length})`
  return last instanceof RpcApplicationError
    ? new RpcApplicationError(last.code, message, { ...options, outcome })
    : rebuildError(last.code, outcome, message, options)
}
