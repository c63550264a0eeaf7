/**
 * Waiting for the end of a saga. One that runs in this process tells its waiters directly; one that runs
 * elsewhere is read now and then, at a pace that slows down, since hints may be lost.
 */
import { CancelledError, ClosedError, LimitExceededError } from '../../errors.ts'
import type { Decisions } from '../../kernels/decision-contract.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { SagaEnd, SagaState } from './state.ts'

const waitersMax = 10_000
const paceMaxMs = 5_000

export interface Endings {
  /** @throws {CancelledError} @throws {ClosedError} @throws {LimitExceededError} */
  wait(key: string, signal?: AbortSignal): Promise<SagaEnd>
  /** The saga runs in this process: no need to read. */
  here(key: string): void
  /** It no longer does: look again. */
  left(key: string): void
  ended(key: string, end: SagaEnd): void
  close(): void
}

interface Waiter {
  readonly finish: (end: SagaEnd) => void
  /** Wakes the waiter out of its pause. */
  ring: AbortController
}

export function endings(
  runtime: Runtime,
  instances: Decisions<SagaState, SagaEnd>,
  pollMs: number,
): Endings {
  const waiters = new Map<string, Set<Waiter>>()
  const local = new Set<string>()
  let closed = false
  let count = 0

  async function wait(key: string, signal?: AbortSignal): Promise<SagaEnd> {
    if (closed) throw new ClosedError('the saga engine is closed')
    if (count >= waitersMax) throw new LimitExceededError(`${waitersMax} calls already wait`)
    let end: SagaEnd | undefined
    const waiter: Waiter = {
      finish(value) {
        end = value
        waiter.ring.abort()
      },
      ring: new AbortController(),
    }
    const group = waiters.get(key) ?? new Set()
    waiters.set(key, group.add(waiter))
    count += 1
    try {
      for (let paceMs = pollMs / 4; ; paceMs = Math.min(paceMaxMs, paceMs * 1.5)) {
        if (!local.has(key)) end ??= await look(key)
        if (end) return end
        const ring = waiter.ring.signal
        const stop = signal ? AbortSignal.any([signal, ring]) : ring
        const jitteredMs = paceMs * (0.75 + runtime.random.fraction('saga-wait') / 2)
        await sleep(runtime.timers, jitteredMs, { signal: stop }).catch(() => {})
        if (end) return end
        if (closed) throw new ClosedError('the saga engine was closed')
        if (signal?.aborted) {
          throw new CancelledError('the wait was aborted; the saga goes on', {
            cause: signal.reason,
          })
        }
        if (waiter.ring.signal.aborted) waiter.ring = new AbortController()
      }
    } finally {
      count -= 1
      group.delete(waiter)
      if (group.size === 0) waiters.delete(key)
    }
  }

  async function look(key: string): Promise<SagaEnd | undefined> {
    const found = await instances.read(key)
    return found?.status === 'decided' ? found.outcome : undefined
  }

  return {
    wait,
    here: (key) => local.add(key),
    left(key) {
      local.delete(key)
      for (const waiter of waiters.get(key) ?? []) waiter.ring.abort()
    },
    ended(key, end) {
      for (const waiter of waiters.get(key) ?? []) waiter.finish(end)
    },
    close() {
      closed = true
      for (const group of waiters.values()) for (const waiter of group) waiter.ring.abort()
    },
  }
}
