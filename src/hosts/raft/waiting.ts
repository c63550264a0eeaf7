/**
 * Somebody waits: for an answer, for so long, or until he is tired of it. What giving up means differs, so
 * the owner says which error tells the truth at that moment.
 */
import type { Runtime } from '../../runtime/runtime.ts'
import type { WaitOptions } from './contract.ts'

export interface Waiting<Value> {
  readonly promise: Promise<Value>
  readonly over: boolean
  resolve(value: Value): void
  reject(error: Error): void
}

/** `giveUp` is asked when the time is up or the signal aborts. `ended` is called once, whatever the end. */
export function waiting<Value>(
  { timers }: Runtime,
  { timeoutMs, signal }: WaitOptions,
  giveUp: (why: 'timeout' | 'aborted') => Error,
  ended: () => void,
): Waiting<Value> {
  let over = false
  let settle: { resolve(value: Value): void; reject(error: Error): void } | undefined
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject }
  })
  function finish(act: () => void): void {
    if (over) return
    over = true
    timer.cancel()
    signal?.removeEventListener('abort', aborted)
    ended()
    act()
  }
  const reject = (error: Error): void => finish(() => settle?.reject(error))
  const timer = timers.schedule(timeoutMs, () => reject(giveUp('timeout')))
  const aborted = (): void => reject(giveUp('aborted'))
  signal?.addEventListener('abort', aborted, { once: true })
  return {
    promise,
    get over() {
      return over
    },
    resolve: (value) => finish(() => settle?.resolve(value)),
    reject,
  }
}
