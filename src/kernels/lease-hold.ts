/**
 * Keeping a lease: renew early, stop in time, give back once.
 *
 *      taken      renew        (retry, retry …)         deadline       free at the store
 *        |----------|------------------------------------|---------------|
 *        0        ttl/3                              ttl - 1 % - 2 ms    ttl
 *
 * The deadline is counted from before the request left, so it lies before the instant at which the store
 * could give the name to somebody else, however long the answer took. A renewal that fails is tried
 * again until the deadline, so a short outage of the store costs nothing; a renewal that is refused ends
 * the right at once. Renewals stop with the right: nothing keeps a lease alive whose work is over.
 */
import { ClosedError, isHoldfastError, LeaseLostError } from '../errors.ts'
import type { Observer } from '../observability/index.ts'
import type { Lease, LeaseStore } from '../ports/lease-store.ts'
import { type Runtime, sleep, type Timer } from '../runtime/index.ts'
import type { HeldLease } from './lease.ts'
import { isTransient } from './lease-acquire.ts'
import { enrol } from './lease-roster.ts'

export interface KeepContext {
  readonly runtime: Runtime
  readonly store: LeaseStore
  readonly observer: Observer
  readonly lease: Lease
  readonly ttlMs: number
  readonly holder: string
  readonly maxHoldMs: number | undefined
}

/** Timers fire up to this late on an idle machine, so the deadline is set this much earlier. */
const timerGrainMs = 2

/** How long `release` keeps asking a store that is out of reach. */
const releaseMsMax = 5_000

/** Starts renewing. See `HeldLease`. */
export function keepLease(context: KeepContext): HeldLease {
  const { runtime, store, observer, lease, ttlMs, holder, maxHoldMs } = context
  const { clock, timers } = runtime
  const { name, token } = lease
  const over = new AbortController()
  const takenMs = clock.monotonicMs()
  const sinceMs = clock.wallMs()
  const maxHoldEndMs = maxHoldMs === undefined ? Number.POSITIVE_INFINITY : takenMs + maxHoldMs
  let current = lease
  let released: Promise<boolean> | undefined
  let deadlineTimer: Timer
  let renewTimer: Timer

  function remainingMs(): number {
    if (over.signal.aborted) return 0
    const endMs = Math.min(current.validUntilMs - timerGrainMs, maxHoldEndMs)
    return Math.max(0, endMs - clock.monotonicMs())
  }

  function end(reason: LeaseLostError | ClosedError): void {
    if (over.signal.aborted) return
    deadlineTimer.cancel()
    renewTimer.cancel()
    leaveRoster()
    if (reason instanceof LeaseLostError) {
      observer.event('leaseLost', { name, token: String(token), holder, cause: reason.message })
      observer.count('leasesLost')
    }
    over.abort(reason)
  }

  /** Ends the right if its time is over; the clock decides, not the timer that calls. */
  function heldNow(): boolean {
    if (remainingMs() > 0) return true
    end(
      clock.monotonicMs() >= maxHoldEndMs
        ? lost(`was held for longer than its maxHoldMs of ${maxHoldMs}`)
        : lost('ran out before a renewal succeeded'),
    )
    return false
  }

  // Background: a lease alone keeps no process alive. The work it protects does, if there is any.
  function armDeadline(): void {
    const check = (): void => {
      if (heldNow()) armDeadline()
    }
    deadlineTimer = timers.schedule(remainingMs(), check, { background: true })
  }

  function armRenewal(delayMs: number): void {
    renewTimer = timers.schedule(Math.max(0, delayMs), renew, { background: true })
  }

  function renew(): void {
    if (!heldNow()) return
    // Should no answer come, the next try does not wait for it: renewing twice does no harm.
    armRenewal(ttlMs / 4)
    const sent = current
    store.renew(sent, ttlMs).then(
      (renewed) => {
        if (over.signal.aborted || !heldNow()) return
        if (renewed.validUntilMs > current.validUntilMs) current = renewed
        deadlineTimer.cancel()
        armDeadline()
        renewTimer.cancel()
        armRenewal(untilRenewal())
      },
      (error: unknown) => {
        if (over.signal.aborted || !heldNow()) return
        observer.count('leaseRenewalsFailed')
        if (isHoldfastError(error) && error.code === 'lease-lost') {
          return end(lost('was refused renewal', error))
        }
        renewTimer.cancel()
        armRenewal(ttlMs * (0.02 + 0.06 * runtime.random.fraction('lease-renew')))
      },
    )
  }

  /** A third of the time to live after the lease began, wherever we are in it now. */
  function untilRenewal(): number {
    return current.validUntilMs - (ttlMs * 2) / 3 - clock.monotonicMs()
  }

  function lost(what: string, cause?: unknown): LeaseLostError {
    const details = { name, token: String(token) }
    return new LeaseLostError(`the lease of "${name}" ${what}`, { cause, details })
  }

  function release(): Promise<boolean> {
    if (released !== undefined) return released
    const wasHeld = heldNow()
    end(new ClosedError(`the lease of "${name}" was released`))
    released = releaseAtStore(context, current).then(
      (inTime) => {
        observer.event('leaseReleased', { name, token: String(token), holder, inTime })
        // Taken away (evicted, or lost in a failover) and not noticed before the end of the work.
        if (wasHeld && !inTime) observer.count('leasesLost')
        return inTime
      },
      (error: unknown) => {
        observer.event('leaseReleaseFailed', { name, token: String(token), error: String(error) })
        throw error
      },
    )
    return released
  }

  const leaveRoster = enrol(runtime, observer, () => {
    return { name, token: String(token), holder, remainingMs: Math.round(remainingMs()), sinceMs }
  })
  observer.event('leaseAcquired', { name, token: String(token), holder, ttlMs })
  observer.count('leasesAcquired')
  armDeadline()
  armRenewal(untilRenewal())

  return {
    name,
    token,
    signal: over.signal,
    remainingMs,
    isHeld: () => remainingMs() > 0,
    assertHeld() {
      if (!heldNow()) throw over.signal.reason
    },
    release,
    async [Symbol.asyncDispose]() {
      await release().catch(() => false)
    },
  }
}

/** Asks until the store answers, or the lease has expired anyway, or `releaseMsMax` are over. */
async function releaseAtStore(
  { runtime, store, ttlMs }: KeepContext,
  lease: Lease,
): Promise<boolean> {
  const { clock, timers, random } = runtime
  const endMs = clock.monotonicMs() + Math.min(ttlMs, releaseMsMax)
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
    try {
      return await store.release(lease)
    } catch (error) {
      const waitMs = pauseMs * (0.5 + 0.5 * random.fraction('lease-release'))
      if (!isTransient(error) || clock.monotonicMs() + waitMs >= endMs) throw error
      await sleep(timers, waitMs)
    }
  }
}
