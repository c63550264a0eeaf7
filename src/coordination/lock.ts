/**
 * A lock for many processes. While you hold it nobody else does, as far as clocks and a living store can
 * tell; and because clocks and processes can stop, every lock carries a token that only grows, which the
 * protected resource can use to refuse a holder that came back from the dead.
 *
 * Exactly this is promised: *of all holders of a name, the resource that checks tokens accepts at most the
 * newest.* No lock service can promise more in a network without time bounds. See `fence.ts` for the
 * check, and M. Kleppmann, "How to do distributed locking" (2016), for why.
 *
 * A lock is not reentrant by itself: two flows of one process that lock the same name exclude each other,
 * like flows of two processes. A flow that already holds the lock and wants to enter again says so:
 * `outer.reenter()`.
 */
import { ClosedError } from '../errors.ts'
import { type HeldLease, type HoldOptions, holdLease } from '../kernels/lease.ts'
import { requireText } from '../ports/arguments.ts'
import type { LeaseInfo, LeaseStore } from '../ports/lease-store.ts'
import type { Runtime } from '../runtime/index.ts'

export interface LockOptions extends Omit<HoldOptions, 'name' | 'waitMs'> {
  /** How long to wait for it. 0: ask once. Default: until `signal` aborts. */
  readonly waitMs?: number
}

export interface Lock extends HeldLease {
  /**
   * Enters again without asking the store: same name, same token, same deadline. Each entry is released
   * once on its own; the name is freed with the last.
   * @throws {LeaseLostError | ClosedError} it is not held any more.
   */
  reenter(): Lock
}

/** Names in the lease store, so that locks, elections and other owners never meet. */
const prefix = 'lock/'

/** Characters of a lock's name, at most. */
const nameLengthMax = 500

/**
 * Locks `name`.
 *
 * @returns the lock; `undefined` if `waitMs` was given and somebody else had it all that time.
 * @throws as `holdLease` does.
 */
export function lock(
  runtime: Runtime,
  leases: LeaseStore,
  name: string,
  options: Omit<LockOptions, 'waitMs'>,
): Promise<Lock>
export function lock(
  runtime: Runtime,
  leases: LeaseStore,
  name: string,
  options: LockOptions,
): Promise<Lock | undefined>
export async function lock(
  runtime: Runtime,
  leases: LeaseStore,
  name: string,
  options: LockOptions,
): Promise<Lock | undefined> {
  requireText('name of the lock', name, nameLengthMax)
  const { waitMs = Number.POSITIVE_INFINITY } = options
  const lease = await holdLease(runtime, leases, { ...options, name: prefix + name, waitMs })
  return lease === undefined ? undefined : entry(name, { lease, entries: 0 })
}

/**
 * Runs `work` under the lock and releases it whatever happens; what `work` returns or throws is passed
 * on. A lock lost meanwhile is told through `lock.signal` and `assertHeld`, not by a failure at the end:
 * only `work` knows whether it still matters.
 */
export async function withLock<Result>(
  runtime: Runtime,
  leases: LeaseStore,
  name: string,
  options: Omit<LockOptions, 'waitMs'>,
  work: (lock: Lock) => Promise<Result>,
): Promise<Result> {
  const held = await lock(runtime, leases, name, options)
  try {
    return await work(held)
  } finally {
    await held[Symbol.asyncDispose]()
  }
}

/** Locks held now whose names start with `start`, by name, after `after`; 1 to 1_000, default 100. */
export async function listLocks(
  leases: LeaseStore,
  page: { readonly start?: string; readonly after?: string; readonly limit?: number } = {},
): Promise<readonly LeaseInfo[]> {
  const { start = '', after, limit = 100 } = page
  const from = after === undefined ? { limit } : { limit, after: prefix + after }
  const held = await leases.list(prefix + start, from)
  return held.map((info) => ({ ...info, name: info.name.slice(prefix.length) }))
}

/**
 * For operators: frees the lock whoever holds it, and gives the next holder a larger token. The old holder
 * learns of it at its next renewal, at the latest after a third of its `ttlMs`; until then only the fence
 * stops it.
 * @returns `false` if nobody held it.
 */
export async function evictLock(leases: LeaseStore, name: string): Promise<boolean> {
  requireText('name of the lock', name, nameLengthMax)
  return leases.evict(prefix + name)
}

interface Shared {
  readonly lease: HeldLease
  /** Entered and not released. The lease is released when this falls to 0. */
  entries: number
}

function entry(name: string, shared: Shared): Lock {
  const { lease } = shared
  const over = new AbortController()
  const follow = (): void => over.abort(lease.signal.reason)
  let released: Promise<boolean> | undefined
  if (lease.signal.aborted) follow()
  else lease.signal.addEventListener('abort', follow, { once: true })
  shared.entries += 1

  function leave(): Promise<boolean> {
    shared.entries -= 1
    const last = shared.entries === 0
    const held = lease.isHeld()
    lease.signal.removeEventListener('abort', follow)
    over.abort(new ClosedError(`the lock "${name}" was released`))
    return last ? lease.release() : Promise.resolve(held)
  }
  function release(): Promise<boolean> {
    released ??= leave()
    return released
  }
  function assertHeld(): void {
    if (released !== undefined) throw over.signal.reason
    lease.assertHeld()
  }

  return {
    name,
    token: lease.token,
    signal: over.signal,
    remainingMs: () => (released === undefined ? lease.remainingMs() : 0),
    isHeld: () => released === undefined && lease.isHeld(),
    assertHeld,
    release,
    reenter() {
      assertHeld()
      return entry(name, shared)
    },
    async [Symbol.asyncDispose]() {
      // A store out of reach has been reported (`leaseReleaseFailed`); expiry does the rest.
      await release().catch(() => false)
    },
  }
}
