/**
 * A timeout is a promise about waiting, not about the work: after `timeoutMs` the caller goes on, and
 * what the work did or will still do is unknown. The work is told by its signal.
 */
import { CancelledError, DeadlineExceededError } from '../errors.ts'
import { requireInteger } from '../ports/arguments.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { AttemptScope, isAborted } from './attempt-scope.ts'
import type { Policy } from './policy.ts'

export interface TimeoutOptions {
  /** 1 to 86_400_000. Shortened to what the policies outside leave. */
  readonly timeoutMs: number
}

/**
 * Stops waiting after `timeoutMs`. An answer that arrives later is dropped.
 *
 * `execute` throws {@link DeadlineExceededError}: `not-applied` if no time was left to begin, else
 * `unknown`; {@link CancelledError} if the caller had aborted before the work began.
 */
export function timeoutPolicy(
  runtime: Pick<Runtime, 'clock' | 'timers'>,
  options: TimeoutOptions,
): Policy {
  const { clock, timers } = runtime
  const { timeoutMs } = options
  requireInteger('timeoutMs', timeoutMs, 1, 86_400_000)

  return {
    execute(work, caller = {}) {
      return new Promise((resolve, reject) => {
        if (isAborted(caller)) {
          return reject(
            new CancelledError('aborted before the work began', { cause: caller.signal?.reason }),
          )
        }
        const allowedMs = Math.min(timeoutMs, caller.remainingMs?.() ?? timeoutMs)
        if (allowedMs <= 0) {
          return reject(new DeadlineExceededError('not-applied', 'no time was left to begin'))
        }
        const deadlineMs = clock.monotonicMs() + allowedMs
        const scope = new AttemptScope(caller, caller.attempt ?? 1, () =>
          Math.max(0, deadlineMs - clock.monotonicMs()),
        )
        const timer = timers.schedule(allowedMs, () => {
          const late = new DeadlineExceededError('unknown', `no answer within ${allowedMs} ms`, {
            details: { timeoutMs: allowedMs },
          })
          reject(late)
          scope.abort(late)
        })
        const answered = (): void => {
          timer.cancel()
          scope.finish()
        }
        begin(work, scope).then(
          (value) => {
            answered()
            resolve(value)
          },
          (error: unknown) => {
            answered()
            reject(error)
          },
        )
      })
    },
  }
}

/** Work that throws before its first `await` fails like any other. */
function begin<T>(work: (context: AttemptScope) => Promise<T>, scope: AttemptScope): Promise<T> {
  try {
    return work(scope)
  } catch (error) {
    return Promise.reject(error)
  }
}
