import { describe, expect, it } from 'vitest'
import { CancelledError, DeadlineExceededError, outcomeOf } from '../errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { sleep } from '../runtime/sleep.ts'
import { inVirtualTime } from '../simulation/node/index.ts'
import { compose } from './policy.ts'
import { timeoutPolicy } from './timeout.ts'

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )
const inTime = (body: (runtime: Runtime) => Promise<void>) => () =>
  inVirtualTime((_, runtime) => body(runtime))

describe('timeout', () => {
  it(
    'passes the answer on, and leaves no timer behind',
    inTime(async (runtime) => {
      let cancelled = 0
      const timers: Runtime['timers'] = {
        schedule(delayMs, callback, options) {
          const timer = runtime.timers.schedule(delayMs, callback, options)
          return {
            cancel: () => {
              cancelled++
              timer.cancel()
            },
          }
        },
      }
      const policy = timeoutPolicy({ clock: runtime.clock, timers }, { timeoutMs: 100 })
      expect(await policy.execute(async () => 7)).toBe(7)
      expect(await failureOf(policy.execute(() => Promise.reject(new Error('no'))))).toMatchObject({
        message: 'no',
      })
      const thrown = policy.execute(() => {
        throw new Error('at once')
      })
      expect(await failureOf(thrown)).toMatchObject({ message: 'at once' })
      expect(cancelled).toBe(3)
    }),
  )

  it(
    'G-1: late is unknown, never failed; the work is told by its signal',
    inTime(async (runtime) => {
      const policy = timeoutPolicy(runtime, { timeoutMs: 100 })
      const startedMs = runtime.clock.monotonicMs()
      let reason: unknown
      const late = await failureOf(
        policy.execute(async ({ signal, remainingMs }) => {
          expect(remainingMs()).toBe(100)
          signal.addEventListener('abort', () => {
            reason = signal.reason
          })
          await sleep(runtime.timers, 1_000)
          expect(remainingMs()).toBe(0)
        }),
      )
      expect(late).toBeInstanceOf(DeadlineExceededError)
      expect(outcomeOf(late)).toBe('unknown')
      expect(reason).toBe(late)
      expect(runtime.clock.monotonicMs() - startedMs).toBe(100)
      await sleep(runtime.timers, 2_000)
    }),
  )

  it(
    'the work may ask for its signal after it was aborted',
    inTime(async (runtime) => {
      let aborted: boolean | undefined
      const late = timeoutPolicy(runtime, { timeoutMs: 10 }).execute(async (context) => {
        await sleep(runtime.timers, 50)
        aborted = context.signal.aborted
      })
      await failureOf(late)
      await sleep(runtime.timers, 100)
      expect(aborted).toBe(true)
    }),
  )

  it(
    'a policy outside shortens the one inside; with no time left the work is not begun',
    inTime(async (runtime) => {
      const stacked = compose(
        timeoutPolicy(runtime, { timeoutMs: 100 }),
        timeoutPolicy(runtime, { timeoutMs: 10_000 }),
      )
      let seenMs: number | undefined
      await stacked.execute(async ({ remainingMs }) => {
        seenMs = remainingMs()
      })
      expect(seenMs).toBe(100)
      let begun = false
      const none = await failureOf(
        stacked.execute(
          async () => {
            begun = true
          },
          { remainingMs: () => 0 },
        ),
      )
      expect(none).toBeInstanceOf(DeadlineExceededError)
      expect(outcomeOf(none)).toBe('not-applied')
      expect(begun).toBe(false)
    }),
  )

  it(
    'G-8: the abort of the caller reaches the work, whose own answer counts; no listener stays',
    inTime(async (runtime) => {
      const policy = timeoutPolicy(runtime, { timeoutMs: 1_000 })
      const caller = new AbortController()
      const answer = policy.execute(
        async ({ signal }) => {
          await sleep(runtime.timers, 500, { signal }).catch(() => {})
          return signal.reason === 'enough' ? 'stopped in time' : 'ran on'
        },
        { signal: caller.signal },
      )
      caller.abort('enough')
      expect(await answer).toBe('stopped in time')
      expect(
        await failureOf(policy.execute(async () => 1, { signal: caller.signal })),
      ).toBeInstanceOf(CancelledError)
      const watched = countListeners(new AbortController().signal)
      await policy.execute(async ({ signal }) => signal.aborted, { signal: watched.signal })
      expect(watched.listeners()).toBe(0)
    }),
  )

  it(
    'refuses a timeout out of range',
    inTime(async (runtime) => {
      expect(() => timeoutPolicy(runtime, { timeoutMs: 0 })).toThrow(/timeoutMs is 0/)
      expect(() => timeoutPolicy(runtime, { timeoutMs: Number.NaN })).toThrow(/timeoutMs is NaN/)
    }),
  )
})

function countListeners(signal: AbortSignal): { signal: AbortSignal; listeners(): number } {
  let count = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...parameters: Parameters<typeof add>): void => {
    count++
    add(...parameters)
  }
  signal.removeEventListener = (...parameters: Parameters<typeof remove>): void => {
    count--
    remove(...parameters)
  }
  return { signal, listeners: () => count }
}
