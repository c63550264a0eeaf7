/**
 * Waiting, in one place: every pause in Holdfast can be aborted and leaves no timer behind.
 */
import { CancelledError } from '../errors.ts'
import type { Timers } from './clock.ts'

/**
 * Resolves after `delayMs`.
 * @throws {CancelledError} the signal aborted first; its reason is the cause.
 */
export function sleep(
  timers: Timers,
  delayMs: number,
  options: { readonly signal?: AbortSignal | undefined; readonly background?: boolean } = {},
): Promise<void> {
  const { signal, background = false } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled(signal))
    const timer = timers.schedule(
      delayMs,
      () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      },
      { background },
    )
    const abort = (): void => {
      timer.cancel()
      reject(cancelled(signal))
    }
    signal?.addEventListener('abort', abort, { once: true })
  })
}

function cancelled(signal: AbortSignal | undefined): CancelledError {
  return new CancelledError('the wait was aborted', { cause: signal?.reason })
}
