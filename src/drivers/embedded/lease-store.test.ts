import { describe, expect, it } from 'vitest'
import { LeaseLostError } from '../../errors.ts'
import { CheckFailed } from '../../ports/check.ts'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import type { Lease, LeaseStore } from '../../ports/lease-store.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { runCase, titleOf } from './embedded-trial.ts'

const trial = { path: '/trial.db', pick: ({ leases }: { readonly leases: LeaseStore }) => leases }

describe('embedded leases, in virtual time', () => {
  for (const testCase of leaseStoreConformance) {
    it(titleOf(testCase), () =>
      inVirtualTime((_world, runtime) => runCase(runtime, testCase, trial)),
    )
  }
})

/** Bugs that real lock services have had. Each must turn a named case red. */
const bugs: readonly {
  readonly name: string
  readonly caughtBy: string
  broken(store: LeaseStore): LeaseStore
}[] = [
  {
    name: 'release ignores the token',
    caughtBy: 'a retried release cannot free a later lease, not even of the same client',
    broken: (store) => ({
      ...store,
      release: (lease) => store.evict(lease.name),
    }),
  },
  {
    name: 'renew ignores the token',
    caughtBy: 'after a takeover the old holder can neither renew nor release',
    broken: (store) => ({
      ...store,
      renew: (lease, ttlMs) => store.renew(lease, ttlMs).catch(() => lease),
    }),
  },
  {
    name: 'the token is constant',
    caughtBy: 'tokens grow across release, expiry and eviction, from client to client',
    broken: (store) => withTokens(store, () => 7n),
  },
  {
    name: 'nobody is excluded',
    caughtBy: 'a held name is refused, not waited for, also to another client',
    broken: (store) => ({
      ...store,
      async acquire(request) {
        await store.evict(request.name)
        return store.acquire(request)
      },
    }),
  },
  {
    name: 'a repeated attempt makes a new lease',
    caughtBy: 'repeating an attempt returns the same lease and does not move its end',
    broken: (store) => ({
      ...store,
      async acquire(request) {
        const lease = await store.acquire(request)
        if (lease === undefined || !(await store.release(lease))) return lease
        return store.acquire(request)
      },
    }),
  },
  {
    name: 'validity is counted from the response',
    caughtBy: 'validity is counted from before the request and gives up the drift margin',
    broken: (store) => ({
      ...store,
      async acquire(request) {
        const lease = await store.acquire(request)
        return lease && { ...lease, validUntilMs: lease.validUntilMs + 0.01 * request.ttlMs + 2 }
      },
    }),
  },
  {
    name: 'renewing shortens',
    caughtBy: 'renewing never shortens a lease',
    broken: (store) => ({
      ...store,
      async renew(lease, ttlMs) {
        const renewed = await store.renew(lease, ttlMs)
        return { ...renewed, validUntilMs: Math.min(renewed.validUntilMs, lease.validUntilMs / 2) }
      },
    }),
  },
  {
    name: 'the line is ignored',
    caughtBy: 'the line is served in the order in which it was joined',
    broken: (store) => ({
      ...store,
      acquire({ queueForMs: _, ...request }) {
        return store.acquire(request)
      },
    }),
  },
  {
    name: 'a place in line outlives its withdrawal',
    caughtBy: 'who withdraws leaves no place behind',
    broken: (store) => ({ ...store, async withdraw() {} }),
  },
]

describe('the lease cases turn red when', () => {
  for (const { name, caughtBy, broken } of bugs) {
    it(`G-14: ${name}`, async () => {
      const testCase = leaseStoreConformance.find((candidate) => candidate.name === caughtBy)
      if (testCase === undefined) throw new Error(`there is no case "${caughtBy}"`)
      await expect(
        inVirtualTime((_world, runtime) => runCase(runtime, testCase, { ...trial, broken })),
      ).rejects.toThrow(CheckFailed)
    })
  }
})

function withTokens(store: LeaseStore, shown: (token: bigint) => bigint): LeaseStore {
  const real = new WeakMap<Lease, Lease>()
  const show = (lease: Lease): Lease => {
    const copy = { ...lease, token: shown(lease.token) }
    real.set(copy, lease)
    return copy
  }
  const hidden = (lease: Lease): Lease => {
    const known = real.get(lease)
    if (known === undefined) throw new LeaseLostError('unknown')
    return known
  }
  return {
    ...store,
    async acquire(request) {
      const lease = await store.acquire(request)
      return lease && show(lease)
    },
    renew: async (lease, ttlMs) => show(await store.renew(hidden(lease), ttlMs)),
    release: (lease) => store.release(hidden(lease)),
  }
}
