/**
 * Getting a lease: ask, and if refused stand in line and ask again. The hard part is not the waiting but
 * the answers that never come. A request whose answer was lost may have taken the name, so it is asked
 * again under the same attempt id: the store then says which lease that attempt got. And whoever gives
 * up while an answer is outstanding must not leave a lease or a place in line that nobody owns.
 */
import { CancelledError, isHoldfastError, OutcomeUnknownError, outcomeOf } from '../errors.ts'
import type { Observer } from '../observability/index.ts'
import type { Lease, LeaseStore } from '../ports/lease-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { type Attempt, abandon } from './lease-abandon.ts'
import { joinLine, type Place } from './lease-line.ts'

export interface AcquireContext {
  readonly runtime: Runtime
  readonly store: LeaseStore
  readonly observer: Observer
  readonly name: string
  readonly ttlMs: number
  readonly holder: string
  readonly waitMs: number
  readonly signal: AbortSignal | undefined
}

type Answer =
  | { readonly kind: 'granted'; readonly lease: Lease }
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'cancelled' }

/** How long to go on asking whether an attempt succeeded, after the time to wait is over. */
const settleMsMax = 5_000

/** See `holdLease`. */
export async function acquireLease(context: AcquireContext): Promise<Lease | undefined> {
  const { runtime, store, name, waitMs, signal } = context
  const endMs = runtime.clock.monotonicMs() + waitMs
  const pollMs = pollMsFor(context.ttlMs)
  let attempt = newAttempt(runtime)
  let place: Place | undefined
  let failures = 0
  let done = false
  try {
    for (;;) {
      const nowMs = runtime.clock.monotonicMs()
      const answer = await ask(context, attempt, nowMs < endMs ? pollMs * 3 : undefined)
      if (answer.kind === 'cancelled') throw cancelled(context)
      if (answer.kind === 'granted') {
        if (answer.lease.validUntilMs > runtime.clock.monotonicMs()) {
          done = true
          return answer.lease
        }
        // It ran out on the way to us: hand it back, and go on as somebody new.
        abandon(context, attempt)
        attempt = newAttempt(runtime)
        place?.leave(true)
        place = undefined
      }
      if (answer.kind === 'failed' && !isTransient(answer.error)) throw answer.error
      const leftMs = patienceMs(context, attempt, endMs)
      if (leftMs <= 0) {
        if (answer.kind === 'failed') throw verdict(attempt, answer.error)
        return undefined
      }
      if (answer.kind === 'failed') {
        failures += 1
        await sleep(runtime.timers, Math.min(retryMs(runtime, failures), leftMs), { signal })
      } else {
        failures = 0
        place ??= joinLine(runtime, store, name, attempt.id)
        const spreadMs = pollMs * (0.5 + 0.5 * runtime.random.fraction('lease-poll'))
        await place.turn(Math.min(spreadMs, leftMs), signal)
      }
    }
  } finally {
    place?.leave(!done)
    if (!done) abandon(context, attempt)
  }
}

async function ask(
  { store, name, ttlMs, holder, signal, runtime }: AcquireContext,
  attempt: Attempt,
  queueForMs: number | undefined,
): Promise<Answer> {
  if (signal?.aborted) return { kind: 'cancelled' }
  const fifo = store.capabilities.fairness === 'fifo' && queueForMs !== undefined
  attempt.queued ||= fifo
  const sentMs = runtime.clock.monotonicMs()
  const request = { name, ttlMs, attemptId: attempt.id, holder }
  const asked = store.acquire(fifo ? { ...request, queueForMs } : request).then(
    (lease): Answer => {
      attempt.doubtSinceMs = undefined
      attempt.lease = lease
      return lease === undefined ? { kind: 'refused' } : { kind: 'granted', lease }
    },
    (error: unknown): Answer => {
      if (outcomeOf(error) === 'unknown') attempt.doubtSinceMs ??= sentMs
      return { kind: 'failed', error }
    },
  )
  attempt.inFlight = asked
  const answer = await orCancelled(asked, signal)
  if (answer.kind !== 'cancelled') attempt.inFlight = undefined
  return answer
}

/** The store's answer, or the caller's cancellation, whichever is first; leaves no listener behind. */
function orCancelled(asked: Promise<Answer>, signal: AbortSignal | undefined): Promise<Answer> {
  if (signal === undefined) return asked
  return new Promise((resolve) => {
    const abort = (): void => resolve({ kind: 'cancelled' })
    signal.addEventListener('abort', abort, { once: true })
    asked.then((answer) => {
      signal.removeEventListener('abort', abort)
      resolve(answer)
    })
  })
}

/** How much longer to try: the time to wait, and while in doubt the time to settle the doubt. */
function patienceMs({ runtime, ttlMs }: AcquireContext, attempt: Attempt, endMs: number): number {
  const { doubtSinceMs } = attempt
  const settledMs = doubtSinceMs === undefined ? 0 : doubtSinceMs + Math.min(ttlMs, settleMsMax)
  return Math.max(endMs, settledMs) - runtime.clock.monotonicMs()
}

/**
 * A third of the lease, 50 ms to 2 s: what a lost hint costs. A place in line lasts three of these, so a
 * waiter that dies, or is stopped for that long, is passed over after them.
 */
function pollMsFor(ttlMs: number): number {
  return Math.ceil(Math.min(Math.max(ttlMs / 3, 50), 2_000))
}

/** 25 to 50 ms at first, doubled each time, at most 1 to 2 s. */
function retryMs(runtime: Runtime, failures: number): number {
  const baseMs = Math.min(50 * 2 ** (failures - 1), 2_000)
  return baseMs * (0.5 + 0.5 * runtime.random.fraction('lease-retry'))
}

function newAttempt(runtime: Runtime): Attempt {
  return {
    id: runtime.random.id('lease-attempt'),
    queued: false,
    lease: undefined,
    inFlight: undefined,
    doubtSinceMs: undefined,
  }
}

const transientCodes: ReadonlySet<string> = new Set([
  'unavailable',
  'store-busy',
  'outcome-unknown',
  'deadline-exceeded',
])

/** May the same question have another answer a moment later? */
export function isTransient(error: unknown): boolean {
  return isHoldfastError(error) && transientCodes.has(error.code)
}

function verdict(attempt: Attempt, error: unknown): unknown {
  if (attempt.doubtSinceMs === undefined || outcomeOf(error) === 'unknown') return error
  return new OutcomeUnknownError('the store took the request, then could not be asked about it', {
    cause: error,
  })
}

function cancelled({ name, signal }: AcquireContext): CancelledError {
  return new CancelledError(`waiting for "${name}" was aborted`, { cause: signal?.reason })
}
