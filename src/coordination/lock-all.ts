/**
 * Several locks at once, without deadlock: they are always taken in the same order, whatever order they
 * were named in, so no two callers can each hold what the other waits for. All or none: if one cannot be
 * had in time, those already taken are given back.
 */
import { InvalidArgumentError } from '../errors.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import type { Runtime } from '../runtime/index.ts'
import { type Lock, type LockOptions, lock } from './lock.ts'

export interface LockSet {
  /** By name, in the order taken. Each has its own token: a resource checks the one of its own name. */
  readonly locks: ReadonlyMap<string, Lock>
  /** Aborts as soon as any of them is over. */
  readonly signal: AbortSignal
  /** The shortest of all. */
  remainingMs(): number
  isHeld(): boolean
  /** @throws {LeaseLostError | ClosedError} one of them is not held any more. */
  assertHeld(): void
  /**
   * Releases all, last taken first, even if some fail.
   * @returns `false` if any was already gone.
   * @throws the first failure, after all were tried.
   */
  release(): Promise<boolean>
  [Symbol.asyncDispose](): Promise<void>
}

const namesMax = 100

/**
 * @param names 1 to 100; duplicates count once. Taken in order of UTF-16 code units.
 * @param options `waitMs` is for all together.
 * @returns the locks; `undefined` if `waitMs` was over before all were had. Errors as in `lock`.
 */
export async function lockAll(
  runtime: Runtime,
  leases: LeaseStore,
  names: readonly string[],
  options: LockOptions,
): Promise<LockSet | undefined> {
  const ordered = Array.from(new Set(names)).sort()
  if (ordered.length < 1 || ordered.length > namesMax) {
    throw new InvalidArgumentError(`${ordered.length} names to lock; expected 1 to ${namesMax}`)
  }
  const { waitMs = Number.POSITIVE_INFINITY } = options
  const endMs = runtime.clock.monotonicMs() + waitMs
  const locks = new Map<string, Lock>()
  let complete = false
  try {
    for (const name of ordered) {
      const leftMs = Math.max(0, endMs - runtime.clock.monotonicMs())
      const taken = await lock(runtime, leases, name, { ...options, waitMs: leftMs })
      if (taken === undefined) return undefined
      locks.set(name, taken)
    }
    // While we waited for the last, the first may have run out.
    for (const { assertHeld } of locks.values()) assertHeld()
    complete = true
    return lockSet(locks)
  } finally {
    if (!complete) await Promise.all(reversed(locks).map((taken) => taken[Symbol.asyncDispose]()))
  }
}

function lockSet(locks: ReadonlyMap<string, Lock>): LockSet {
  const over = new AbortController()
  const all = reversed(locks)
  for (const { signal } of all) {
    const follow = (): void => over.abort(signal.reason)
    if (signal.aborted) follow()
    else signal.addEventListener('abort', follow, { once: true, signal: over.signal })
  }
  let released: Promise<boolean> | undefined
  async function releaseAll(): Promise<boolean> {
    const results = await Promise.allSettled(all.map((held) => held.release()))
    for (const result of results) if (result.status === 'rejected') throw result.reason
    return results.every((result) => result.status === 'fulfilled' && result.value)
  }
  function release(): Promise<boolean> {
    released ??= releaseAll()
    return released
  }
  return {
    locks,
    signal: over.signal,
    remainingMs: () => Math.min(...all.map((held) => held.remainingMs())),
    isHeld: () => all.every((held) => held.isHeld()),
    assertHeld() {
      for (const held of all) held.assertHeld()
    },
    release,
    async [Symbol.asyncDispose]() {
      await release().catch(() => false)
    },
  }
}

function reversed(locks: ReadonlyMap<string, Lock>): Lock[] {
  return Array.from(locks.values()).reverse()
}
