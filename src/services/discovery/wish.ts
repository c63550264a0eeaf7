/**
 * A wish is a value that somebody wants to be true elsewhere: those who change it wait for it to be
 * granted, the one who grants it waits for it to change. Versions tell an old grant from a new one.
 */
import { CancelledError } from '../../errors.ts'

export interface Wish<Value> {
  value(): Value
  version(): number
  change(value: Value): void
  /** Resolves when the present version, or a later one, is granted. */
  granted(signal?: AbortSignal): Promise<void>
  isGranted(): boolean
  /** Was any version granted, ever? */
  wasGranted(): boolean
  /** @returns `false` if this version was granted before and is still. */
  grant(version: number): boolean
  /** What was granted is so no more. */
  revoke(): void
  /** Resolves when the version is no longer `version`, or the signal aborts. */
  changed(version: number, signal: AbortSignal): Promise<void>
  /** Those who wait to be granted are refused. */
  close(reason: Error): void
}

export function wish<Value>(first: Value): Wish<Value> {
  let value = first
  let version = 1
  let grantedVersion = 0
  let wasGranted = false
  let closed: Error | undefined
  const waiting = new Set<() => void>()

  function wake(): void {
    for (const look of [...waiting]) look()
  }

  /** Looks now and after each wake, until `look` has an answer or the signal aborts. */
  function until(look: () => boolean | Error, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | undefined): void => {
        waiting.delete(again)
        signal?.removeEventListener('abort', abort)
        if (error) reject(error)
        else resolve()
      }
      const again = (): void => {
        const answer = look()
        if (answer !== false) settle(answer === true ? undefined : answer)
      }
      const abort = (): void =>
        settle(new CancelledError('the wait was aborted', { cause: signal?.reason }))
      waiting.add(again)
      signal?.addEventListener('abort', abort)
      if (signal?.aborted) abort()
      else again()
    })
  }

  return {
    value: () => value,
    version: () => version,
    change(next) {
      value = next
      version++
      wake()
    },
    granted(signal) {
      const mine = version
      return until(() => closed ?? grantedVersion >= mine, signal)
    },
    isGranted: () => grantedVersion === version,
    wasGranted: () => wasGranted,
    grant(granted) {
      const isNew = grantedVersion !== granted
      grantedVersion = granted
      wasGranted = true
      wake()
      return isNew
    },
    revoke() {
      grantedVersion = 0
    },
    changed: (known, signal) => until(() => version !== known, signal).catch(() => {}),
    close(reason) {
      closed = reason
      wake()
    },
  }
}
