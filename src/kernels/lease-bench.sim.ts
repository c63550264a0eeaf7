/**
 * The bench of the lease kernel's unit tests: virtual time, the real embedded store, and a bad connection
 * to it. The store can be out of reach, and its answers can get lost after the request took effect.
 * Nothing here invents an answer.
 */
import { embedded } from '../drivers/embedded/index.ts'
import { OutcomeUnknownError, UnavailableError } from '../errors.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { inVirtualTime } from '../simulation/node/index.ts'
import { type HeldLease, holdLease } from './lease.ts'

export interface Bench {
  readonly runtime: Runtime
  readonly store: LeaseStore
  readonly line: Connection
  passMs(durationMs: number): Promise<void>
  take(options?: { waitMs?: number; signal?: AbortSignal }): Promise<HeldLease | undefined>
}

export const name: string = 'orders'
export const ttlMs: number = 3_000

export function bench(body: (bench: Bench) => Promise<void>): () => Promise<void> {
  return () =>
    inVirtualTime(async (_world, runtime) => {
      const stores = await embedded(runtime, { path: '/holdfast.db', namespace: 'test' })
      const line = connection()
      const store = behind(stores.leases, line)
      await body({
        runtime,
        store,
        line,
        passMs: (durationMs) => sleep(runtime.timers, durationMs),
        take: (options) => holdLease(runtime, store, { name, ttlMs, ...options }),
      })
      await stores.close()
    })
}

export async function taken(lease: Promise<HeldLease | undefined>): Promise<HeldLease> {
  const held = await lease
  if (held === undefined) throw new Error('the lease was refused')
  return held
}

export type Method = 'acquire' | 'renew' | 'release' | 'withdraw'

export interface Connection {
  /** Requests do not arrive while true. */
  down: boolean
  /** How many of the next answers of a method get lost after the request took effect. */
  readonly lost: Partial<Record<Method, number>>
  /** Answers of a method are held back until this resolves. */
  readonly held: Partial<Record<Method, Promise<void>>>
  /** Every request that arrived, in order. */
  readonly arrived: Method[]
}

export function connection(): Connection {
  return { down: false, lost: {}, held: {}, arrived: [] }
}

export function behind(store: LeaseStore, line: Connection): LeaseStore {
  async function through<Value>(method: Method, request: () => Promise<Value>): Promise<Value> {
    if (line.down) throw new UnavailableError('the store is out of reach')
    line.arrived.push(method)
    const answer = await request()
    await line.held[method]
    const losses = line.lost[method] ?? 0
    if (losses > 0) {
      line.lost[method] = losses - 1
      throw new OutcomeUnknownError('the answer got lost')
    }
    return answer
  }
  return {
    capabilities: store.capabilities,
    acquire: (request) => through('acquire', () => store.acquire(request)),
    renew: (lease, ttlMs) => through('renew', () => store.renew(lease, ttlMs)),
    release: (lease) => through('release', () => store.release(lease)),
    withdraw: (name, attemptId) => through('withdraw', () => store.withdraw(name, attemptId)),
    watch: (name, wake, attemptId) => store.watch(name, wake, attemptId),
    list: (prefix, page) => store.list(prefix, page),
    evict: (name) => store.evict(name),
  }
}
