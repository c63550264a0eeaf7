/**
 * A policy is a rule around a call: give it this long, try it again, let only so many in. All policies
 * have one shape, so they stack: each runs the work, or the policy inside it, under its own rule.
 *
 * Cancellation is passed on, not enforced: when the caller aborts, the work's signal aborts, and the
 * work's own answer is awaited, because only the work knows whether it had any effect. What bounds a
 * work that ignores its signal is a `timeoutPolicy`.
 */
export interface Policy {
  /**
   * Runs the work under the policy's rule.
   * @throws whatever the work throws, and what the policy adds to it.
   */
  execute<T>(work: (context: AttemptContext) => Promise<T>, options?: ExecuteOptions): Promise<T>
}

/** What one attempt knows about its place in the world. Read its fields; do not spread it. */
export interface AttemptContext {
  /** Aborts when the answer is no longer wanted. The reason is the error of whoever gave up. */
  readonly signal: AbortSignal
  /** 1 for the first attempt. Send it along with the request, so that only one layer retries. */
  readonly attempt: number
  /** Milliseconds left before everybody above has given up; `undefined` if nobody set a limit. */
  readonly remainingMs: () => number | undefined
}

/** What the caller knows already: its own cancellation, deadline and attempt. */
export type ExecuteOptions = Partial<AttemptContext>

/** Stacks policies, the first outermost: `compose(timeout, retry)` limits the time of all attempts. */
export function compose(...policies: readonly Policy[]): Policy {
  const [outer = direct, ...others] = policies
  if (others.length === 0) return outer
  const inner = compose(...others)
  return {
    execute: (work, options) => outer.execute((context) => inner.execute(work, context), options),
  }
}

/** No rule at all: what is left when nothing is composed. */
const direct: Policy = {
  async execute(work, options = {}) {
    const { attempt = 1, signal = never(), remainingMs = () => undefined } = options
    return work({ attempt, signal, remainingMs })
  },
}

function never(): AbortSignal {
  return new AbortController().signal
}
