/**
 * What the lease cases share: times to live that the driver can keep, and the short way to ask.
 */
import { check } from './check.ts'
import type { ConformanceBench } from './conformance.ts'
import type { Lease, LeaseRequest, LeaseStore } from './lease-store.ts'

export type LeaseBench = ConformanceBench<LeaseStore>

/** The shortest time to live that a case can wait for without being at the mercy of a busy machine. */
export function shortMs({ capabilities }: LeaseStore): number {
  const { ttlMinMs, ttlStepMs } = capabilities
  return Math.ceil(Math.max(ttlMinMs, 400) / ttlStepMs) * ttlStepMs
}

/** Long enough not to end within a case. */
export function longMs(store: LeaseStore): number {
  return shortMs(store) * 100
}

/** Asks with a fresh attempt, unless `request` names one. */
export function ask(
  bench: LeaseBench,
  name: string,
  request: Partial<LeaseRequest> = {},
  store: LeaseStore = bench.store,
): Promise<Lease | undefined> {
  const attemptId = request.attemptId ?? bench.runtime.random.id('conformance')
  return store.acquire({ ttlMs: longMs(store), ...request, name, attemptId })
}

/** Asks, and must get it. */
export async function take(
  bench: LeaseBench,
  name: string,
  request: Partial<LeaseRequest> = {},
  store: LeaseStore = bench.store,
): Promise<Lease> {
  const lease = await ask(bench, name, request, store)
  check(lease !== undefined, `"${name}" is granted`)
  return lease
}

/** Lets a lease of the short time to live run out, with time to spare. */
export function pastShort(bench: LeaseBench): Promise<void> {
  return bench.passMs(shortMs(bench.store) * 1.5)
}
