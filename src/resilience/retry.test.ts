import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CancelledError,
  ClosedError,
  DeadlineExceededError,
  HoldfastError,
  InvalidArgumentError,
  OutcomeUnknownError,
  UnavailableError,
} from '../errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { sleep } from '../runtime/sleep.ts'
import { drawsOf, seedKey } from '../simulation/chance.ts'
import { inVirtualTime } from '../simulation/node/index.ts'
import { nextPauseMs } from './backoff.ts'
import { type AttemptContext, compose } from './policy.ts'
import { type RetryOptions, retryPolicy } from './retry.ts'
import { retryBudget } from './retry-budget.ts'
import { timeoutPolicy } from './timeout.ts'

const backoff = { baseMs: 100, capMs: 1_000 }
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )
const inTime = (body: (runtime: Runtime) => Promise<void>) => () =>
  inVirtualTime((_, runtime) => body(runtime))

/** Fails with each error in turn, then answers; counts the attempts. */
function failing(...errors: unknown[]) {
  const contexts: AttemptContext[] = []
  const work = async (context: AttemptContext): Promise<string> => {
    contexts.push(context)
    const error = errors[contexts.length - 1]
    if (error !== undefined) throw error
    return `answer ${contexts.length}`
  }
  return { work, contexts }
}

describe('retry', () => {
  const gone = new UnavailableError('gone')
  const doubtful = new OutcomeUnknownError('who knows')
  const cases: readonly (readonly [string, unknown, Partial<RetryOptions>, number])[] = [
    ['not applied: again', gone, {}, 2],
    ['unknown: once', doubtful, {}, 1],
    ['unknown and idempotent: again', doubtful, { idempotent: true }, 2],
    ['a foreign error is unknown: once', new Error('socket hang up'), {}, 1],
    ['invalid: once, even if asked for', new InvalidArgumentError('bad'), { idempotent: true }, 1],
    [
      'invalid: once, whatever retryOn says',
      new InvalidArgumentError('bad'),
      { retryOn: () => true },
      1,
    ],
    ['closed: once', new ClosedError('closed'), { idempotent: true }, 1],
    ['cancelled: once', new CancelledError('cancelled'), {}, 1],
    ['retryOn says yes', new Error('socket hang up'), { retryOn: () => true }, 2],
    ['retryOn says no', gone, { retryOn: () => false }, 1],
  ]
  for (const [name, error, options, attempts] of cases) {
    it(
      `RY-1: ${name}`,
      inTime(async (runtime) => {
        const policy = retryPolicy(runtime, { attemptsMax: 5, backoff, ...options })
        const { work, contexts } = failing(error)
        const outcome = await failureOf(policy.execute(work))
        expect(contexts.length).toBe(attempts)
        expect(outcome).toBe(attempts === 1 ? error : undefined)
      }),
    )
  }

  it(
    'RY-6: giving up carries all causes, their number, and unknown if any attempt was',
    inTime(async (runtime) => {
      const policy = retryPolicy(runtime, { attemptsMax: 3, backoff, idempotent: true })
      const errors = [gone, doubtful, new UnavailableError('still gone')]
      const { work, contexts } = failing(...errors)
      const failure = (await failureOf(policy.execute(work))) as HoldfastError
      expect(failure).toBeInstanceOf(HoldfastError)
      expect(failure.code).toBe('retries-exhausted')
      expect(failure.outcome).toBe('unknown')
      expect(failure.details).toEqual({ attempts: 3, stoppedBy: 'attempts' })
      expect((failure.cause as AggregateError).errors).toEqual(errors)
      expect(contexts.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    }),
  )

  it(
    'RY-4: the signal of a failed attempt aborts, that of the one that succeeds never',
    inTime(async (runtime) => {
      const policy = retryPolicy(runtime, { attemptsMax: 3, backoff })
      const { work, contexts } = failing(gone)
      const caller = new AbortController()
      expect(await policy.execute(work, { signal: caller.signal })).toBe('answer 2')
      caller.abort()
      expect(contexts.map(({ signal }) => signal.aborted)).toEqual([true, false])
    }),
  )

  it(
    'RY-4: a late success of an abandoned attempt is dropped',
    inTime(async (runtime) => {
      const policy = compose(
        retryPolicy(runtime, { attemptsMax: 2, backoff, idempotent: true }),
        timeoutPolicy(runtime, { timeoutMs: 50 }),
      )
      const signals: AbortSignal[] = []
      const answer = await policy.execute(async ({ attempt, signal }) => {
        signals.push(signal)
        if (attempt === 1) await sleep(runtime.timers, 500)
        return attempt
      })
      expect(answer).toBe(2)
      await sleep(runtime.timers, 1_000)
      expect(signals[0]?.aborted).toBe(true)
    }),
  )

  it(
    'RY-2: neither a pause nor an attempt that cannot finish is begun',
    inTime(async (runtime) => {
      const retry = retryPolicy(runtime, {
        attemptsMax: 100,
        backoff: { baseMs: 50, capMs: 200, jitter: 'decorrelated' },
        attemptMinMs: 30,
      })
      const policy = compose(timeoutPolicy(runtime, { timeoutMs: 1_000 }), retry)
      const startedMs = runtime.clock.monotonicMs()
      const begun: number[] = []
      const failure = (await failureOf(
        policy.execute(async () => {
          begun.push(runtime.clock.monotonicMs() - startedMs)
          await sleep(runtime.timers, 20)
          throw gone
        }),
      )) as HoldfastError
      expect(failure.details.stoppedBy).toBe('deadline')
      expect(failure.outcome).toBe('not-applied')
      expect(Math.max(...begun)).toBeLessThanOrEqual(970)
      expect(begun.length).toBeGreaterThan(3)
      expect(runtime.clock.monotonicMs() - startedMs).toBeLessThan(1_000)
    }),
  )

  it(
    'RY-2: a server that asks for a pause gets it, unless it asks for too much',
    inTime(async (runtime) => {
      const asking = (retryAfterMs: number) =>
        failing(new UnavailableError('busy', { details: { retryAfterMs } }))
      const policy = retryPolicy(runtime, { attemptsMax: 3, backoff })
      const startedMs = runtime.clock.monotonicMs()
      await policy.execute(asking(7_000).work)
      expect(runtime.clock.monotonicMs() - startedMs).toBe(7_000)
      const tooLong = asking(61_000)
      expect(await failureOf(policy.execute(tooLong.work))).toBeInstanceOf(UnavailableError)
      expect(tooLong.contexts.length).toBe(1)
    }),
  )

  it(
    'RY-3: a request that is a retry already is not retried below',
    inTime(async (runtime) => {
      const layer = retryPolicy(runtime, { attemptsMax: 3, backoff })
      let calls = 0
      await failureOf(
        compose(layer, layer).execute(async () => {
          calls++
          throw gone
        }),
      )
      // 3 below the first attempt and 1 below each of the 2 retries above, not 9.
      expect(calls).toBe(5)
    }),
  )

  it(
    'G-8: an abort during the pause ends it at once, and keeps the failure',
    inTime(async (runtime) => {
      const policy = retryPolicy(runtime, {
        attemptsMax: 3,
        backoff: { baseMs: 60_000, capMs: 60_000 },
      })
      const caller = new AbortController()
      const startedMs = runtime.clock.monotonicMs()
      const answer = failureOf(policy.execute(failing(gone).work, { signal: caller.signal }))
      await sleep(runtime.timers, 10)
      caller.abort()
      expect(await answer).toBe(gone)
      expect(runtime.clock.monotonicMs() - startedMs).toBe(10)
      const { work, contexts } = failing()
      const refused = await failureOf(policy.execute(work, { signal: caller.signal }))
      expect(refused).toBeInstanceOf(CancelledError)
      expect(contexts.length).toBe(0)
    }),
  )

  it(
    'the deadline of an attempt that was cut short is unknown, so only idempotent work goes on',
    inTime(async (runtime) => {
      const slow = timeoutPolicy(runtime, { timeoutMs: 10 })
      const careful = compose(retryPolicy(runtime, { attemptsMax: 3, backoff }), slow)
      const failure = await failureOf(careful.execute(() => sleep(runtime.timers, 100)))
      expect(failure).toBeInstanceOf(DeadlineExceededError)
    }),
  )
})

describe('backoff', () => {
  it('RY-2: pauses stay within base, growth and cap, for both kinds of jitter', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom<'full' | 'decorrelated'>('full', 'decorrelated'),
        (seed, baseMs, times, jitter) => {
          const draws = drawsOf(seedKey(seed))
          const random = {
            fraction: () => draws.fraction(),
            bytes: () => new Uint8Array(),
            id: () => '',
          }
          const capMs = baseMs * times
          for (let failures = 1, lastMs = 0; failures <= 100; failures++) {
            const pauseMs = nextPauseMs({ baseMs, capMs, jitter }, random, failures, lastMs)
            const growthMs =
              jitter === 'full' ? baseMs * 2 ** (failures - 1) : 3 * Math.max(baseMs, lastMs)
            expect(Number.isSafeInteger(pauseMs)).toBe(true)
            expect(pauseMs).toBeLessThanOrEqual(Math.min(capMs, growthMs))
            expect(pauseMs).toBeGreaterThanOrEqual(jitter === 'full' ? 0 : baseMs)
            lastMs = pauseMs
          }
        },
      ),
      { seed: 13, numRuns: 200 },
    )
  })
})

describe('retry budget', () => {
  it(
    'RY-3: never more than ratio · requests + time · minimum + burst',
    inTime(async (runtime) => {
      const budget = retryBudget(runtime, { ratio: 0.2, minPerSecond: 2, burstMax: 5 })
      let taken = 0
      for (let request = 0; request < 1_000; request++) {
        budget.requested()
        for (let retry = 0; retry < 3; retry++) if (budget.tryTake()) taken++
        await sleep(runtime.timers, 10)
      }
      expect(taken).toBeLessThanOrEqual(0.2 * 1_000 + 10 * 2 + 5)
      expect(taken).toBeGreaterThan(200)
    }),
  )

  it(
    'an idle budget saves up no more than its burst',
    inTime(async (runtime) => {
      const budget = retryBudget(runtime, { burstMax: 3 })
      await sleep(runtime.timers, 86_400_000)
      for (let request = 0; request < 1_000; request++) budget.requested()
      expect(budget.balance()).toBe(3)
      const taken = [1, 2, 3, 4].map(() => budget.tryTake())
      expect(taken).toEqual([true, true, true, false])
      await sleep(runtime.timers, 1_000)
      expect(budget.tryTake()).toBe(true)
    }),
  )
})
