/**
 * The lease kernel: an exclusive right that ends by itself. The store says who has it; this file turns
 * the store's answers into something a program can lean on: it waits in line, keeps the right alive while
 * the work lasts, tells the work to stop when the right runs out, and gives it back.
 *
 * Think of a hotel key card. It opens one door, it stops working at a known hour, the desk can prolong
 * it, and a card that has stopped working can never lock out the next guest.
 *
 * What is promised: by the local monotonic clock, `isHeld()` is never true at an instant at which the
 * store could have given the name to somebody else. What is not: that the process notices between the
 * check and the act. A process can be paused in between, so the thing protected must refuse old tokens
 * (see `fence.ts` in coordination, and M. Kleppmann, "How to do distributed locking", 2016).
 *
 * Reading order: this file, then `lease-acquire.ts` (getting it), `lease-line.ts` (waiting for it),
 * `lease-hold.ts` (keeping it and giving it back), `lease-roster.ts` (showing it).
 */

import { InvalidArgumentError } from '../errors.ts'
import { type Observer, silentObserver } from '../observability/index.ts'
import { requireInteger, requireLength, requireText } from '../ports/arguments.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import type { Runtime } from '../runtime/index.ts'
import { acquireLease } from './lease-acquire.ts'
import { keepLease } from './lease-hold.ts'

export interface HoldOptions {
  /** 1 to 512 characters. */
  readonly name: string
  /**
   * How long after its owner's last sign of life the name goes to somebody else: from the store's
   * `ttlMinMs` to 86_400_000. Shorter: faster takeover, more renewals, less patience with pauses.
   */
  readonly ttlMs: number
  /**
   * How long to wait for the name, on the monotonic clock. Default 0: ask once. `Infinity`: until
   * `signal` aborts.
   */
  readonly waitMs?: number
  /** Gives up waiting. Once the lease is held it has no effect. */
  readonly signal?: AbortSignal | undefined
  /** Who holds it, for people; at most 200 characters. Default `machine/process`. */
  readonly holder?: string
  readonly observer?: Observer
  /**
   * The right ends this long after it was taken, however alive its owner: 1 to 31_536_000_000 (a year).
   * Absent: no such limit. Set it where a hung section must not keep the name for ever.
   */
  readonly maxHoldMs?: number
}

export interface HeldLease {
  readonly name: string
  /** Grows with every lease of this name. Send it with each write that the lease protects. */
  readonly token: bigint
  /**
   * Aborts when the right is over: a `LeaseLostError` if the deadline passed, renewal was refused or
   * `maxHoldMs` ended; a `ClosedError` after `release`. A blocked event loop delays it, as it delays
   * everything; `isHeld` is not fooled.
   */
  readonly signal: AbortSignal
  /** How long the right surely lasts if no renewal succeeds any more. 0 when it is over. */
  remainingMs(): number
  /** Reads the clock: true only while nobody else can have the name. */
  isHeld(): boolean
  /** @throws {LeaseLostError} it is not held any more; after `release`, a `ClosedError`. */
  assertHeld(): void
  /**
   * Ends the right at once and frees the name. Safe to repeat: later calls give the first one's answer.
   * Keeps asking a store that is out of reach for one `ttlMs`, at most 5 seconds; then the name frees
   * itself when the lease expires.
   * @returns `false` if the lease was already gone: the protected work may have overlapped.
   * @throws {UnavailableError | StoreBusyError | OutcomeUnknownError} the store did not answer.
   */
  release(): Promise<boolean>
  /** `release`, but a store out of reach is only reported (`leaseReleaseFailed`): expiry will do it. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Takes the name and keeps it until it is released or lost.
 *
 * @returns the lease, or `undefined` if somebody else had it all the time: a refusal is an answer.
 * @throws {CancelledError} the signal aborted. A lease or a place in line that the store may still give
 * is handed back in the background; at worst it stays for one `ttlMs`, owned by nobody.
 * @throws {OutcomeUnknownError} the store did not say whether we got it, though asked again and again;
 * cleaned up like a cancelled one.
 * @throws {UnavailableError | StoreBusyError} the store was out of reach for all of `waitMs`.
 * @throws {LimitExceededError} more than 10_000 calls of this process already wait.
 * @throws {InvalidArgumentError}
 */
export async function holdLease(
  runtime: Runtime,
  store: LeaseStore,
  options: HoldOptions,
): Promise<HeldLease | undefined> {
  const { identity } = runtime
  const { name, ttlMs, waitMs = 0, signal, maxHoldMs, observer = silentObserver } = options
  const { holder = `${identity.machine}/${identity.process}`.slice(0, 200) } = options
  requireText('name', name, 512)
  requireInteger('ttlMs', ttlMs, store.capabilities.ttlMinMs, 86_400_000)
  requireLength('holder', holder, 200)
  if (maxHoldMs !== undefined) requireInteger('maxHoldMs', maxHoldMs, 1, 31_536_000_000)
  if (!(waitMs >= 0)) {
    throw new InvalidArgumentError(`waitMs is ${waitMs}; expected 0 or more, or Infinity`)
  }
  const lease = await acquireLease({
    runtime,
    store,
    observer,
    name,
    ttlMs,
    holder,
    waitMs,
    signal,
  })
  if (lease === undefined) return undefined
  return keepLease({ runtime, store, observer, lease, ttlMs, holder, maxHoldMs })
}
