/**
 * Cleaning up after an attempt that nobody waits for any more. The attempt may stand in line, hold the
 * lease already, or have a request on its way whose outcome nobody knows. The effort is bounded: what
 * cannot be cleaned up ends by itself, the place in line after its time, the lease after its `ttlMs`.
 */
import { isHoldfastError, outcomeOf } from '../errors.ts'
import type { Lease, LeaseStore } from '../ports/lease-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'

/** What one attempt may have left at the store. */
export interface Attempt {
  readonly id: string
  /** It asked for a place in line. */
  queued: boolean
  /** The lease it surely got. */
  lease: Lease | undefined
  /** A request that has not been answered; never rejects. */
  inFlight: Promise<unknown> | undefined
  /** Local monotonic time of the first request whose outcome is unknown, none answered since. */
  doubtSinceMs: number | undefined
}

interface AbandonContext {
  readonly runtime: Runtime
  readonly store: LeaseStore
  readonly name: string
  readonly holder: string
}

const triesMax = 6

/** Cleans up in the background, if there may be anything to clean up. Never fails. */
export function abandon(context: AbandonContext, attempt: Attempt): void {
  const { queued, lease, inFlight, doubtSinceMs } = attempt
  if (!queued && lease === undefined && inFlight === undefined && doubtSinceMs === undefined) return
  context.runtime.tasks.spawn('lease-abandon', () => cleanUp(context, attempt))
}

async function cleanUp(context: AbandonContext, attempt: Attempt): Promise<void> {
  const { runtime } = context
  // The request on its way goes first: withdrawn before it arrived, it would stand in line again.
  await attempt.inFlight
  for (let tries = 1; tries <= triesMax; tries += 1) {
    try {
      return await cleanUpOnce(context, attempt)
    } catch (error) {
      const hopeless = !isHoldfastError(error) || outcomeOf(error) === 'invalid'
      if (hopeless || error.code === 'closed') return
    }
    const pauseMs = 50 * 2 ** tries * (0.5 + 0.5 * runtime.random.fraction('lease-abandon'))
    await sleep(runtime.timers, pauseMs, { background: true })
  }
}

async function cleanUpOnce(
  { store, name, holder }: AbandonContext,
  attempt: Attempt,
): Promise<void> {
  if (attempt.queued) await store.withdraw(name, attempt.id)
  attempt.queued = false
  if (attempt.lease === undefined && attempt.doubtSinceMs !== undefined) {
    // The only way to learn the token. If the attempt had not got the lease, this may take it, hence
    // the shortest time to live: should we die here, the name is free again at once.
    const { ttlMinMs } = store.capabilities
    attempt.lease = await store.acquire({ name, ttlMs: ttlMinMs, attemptId: attempt.id, holder })
  }
  if (attempt.lease !== undefined) await store.release(attempt.lease)
}
