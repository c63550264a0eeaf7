/**
 * A real lease store behind a bad connection, for trials: it can be out of reach, and its answers can get
 * lost after the request took effect. Nothing here invents an answer.
 */
import { OutcomeUnknownError, UnavailableError } from '../errors.ts'
import type { LeaseStore } from '../ports/lease-store.ts'

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
