/**
 * Holding: one owner at a time, tokens that only grow, and nothing that an old owner or a repeated call
 * can still do to the new one.
 */
import { LeaseLostError } from '../errors.ts'
import { check, checkEqual, checkRejects } from './check.ts'
import type { ConformanceCase } from './conformance.ts'
import { ask, longMs, pastShort, shortMs, take } from './lease-bench.ts'
import { type LeaseStore, leaseDriftMargin } from './lease-store.ts'

export const leaseHoldingCases: readonly ConformanceCase<LeaseStore>[] = [
  {
    name: 'a held name is refused, not waited for, also to another client',
    shows: ['LK-1'],
    async run(bench) {
      const name = bench.unique('held')
      await take(bench, name)
      checkEqual(await ask(bench, name), undefined, 'the same client')
      checkEqual(await ask(bench, name, {}, await bench.another()), undefined, 'another client')
    },
  },
  {
    name: 'of many who ask at once, exactly one gets the name',
    shows: ['LK-1'],
    async run(bench) {
      const name = bench.unique('race')
      const stores = [bench.store, await bench.another(), await bench.another()]
      const asked = Array.from({ length: 30 }, (_, index) =>
        ask(bench, name, {}, stores[index % stores.length]),
      )
      const granted = (await Promise.all(asked)).filter((lease) => lease !== undefined)
      checkEqual(granted.length, 1, 'leases granted')
    },
  },
  {
    name: 'tokens grow across release, expiry and eviction, from client to client',
    shows: ['LK-2', 'LD-1'],
    async run(bench) {
      const name = bench.unique('tokens')
      const other = await bench.another()
      const first = await take(bench, name)
      checkEqual(await bench.store.release(first), true, 'released')
      const second = await take(bench, name, { ttlMs: shortMs(bench.store) }, other)
      await pastShort(bench)
      const third = await take(bench, name)
      checkEqual(await bench.store.evict(name), true, 'evicted')
      const fourth = await take(bench, name, {}, other)
      const tokens = [first, second, third, fourth].map(({ token }) => token)
      check(
        tokens.every((token, index) => token > (tokens[index - 1] ?? 0n)),
        `each token is larger than the one before: ${tokens.join(' ')}`,
      )
    },
  },
  {
    name: 'after a takeover the old holder can neither renew nor release',
    shows: ['LK-4', 'LK-8'],
    async run(bench) {
      const name = bench.unique('takeover')
      const ttlMs = shortMs(bench.store)
      const old = await take(bench, name, { ttlMs })
      await pastShort(bench)
      const current = await take(bench, name, {}, await bench.another())
      await checkRejects(bench.store.renew(old, ttlMs), LeaseLostError, 'the old holder renews')
      checkEqual(await bench.store.release(old), false, 'the old holder releases')
      checkEqual(await ask(bench, name), undefined, 'still held by the new one')
      checkEqual(await bench.store.release(current), true, 'the new holder releases')
    },
  },
  {
    name: 'a lease that ran out cannot be renewed, even if nobody took the name',
    shows: ['LK-3'],
    async run(bench) {
      const ttlMs = shortMs(bench.store)
      const lease = await take(bench, bench.unique('late'), { ttlMs })
      await pastShort(bench)
      await checkRejects(bench.store.renew(lease, ttlMs), LeaseLostError, 'a late renewal')
      checkEqual(await bench.store.release(lease), false, 'a late release')
    },
  },
  {
    name: 'a retried release cannot free a later lease, not even of the same client',
    shows: ['LK-4'],
    async run(bench) {
      const name = bench.unique('retried-release')
      const first = await take(bench, name)
      checkEqual(await bench.store.release(first), true, 'the first release')
      const second = await take(bench, name)
      checkEqual(await bench.store.release(first), false, 'the first release, retried')
      checkEqual(await ask(bench, name, {}, await bench.another()), undefined, 'still held')
      checkEqual(await bench.store.release(second), true, 'the second release')
      checkEqual(await bench.store.release(second), false, 'the second release, retried')
    },
  },
  {
    name: 'an old lease of the same attempt cannot act for the new one',
    shows: ['LK-4'],
    async run(bench) {
      const name = bench.unique('same-attempt')
      const attemptId = bench.runtime.random.id('conformance')
      const first = await take(bench, name, { attemptId })
      await bench.store.release(first)
      const second = await take(bench, name, { attemptId })
      check(second.token > first.token, 'the new lease has a larger token')
      checkEqual(await bench.store.release(first), false, 'released by the old lease')
      await checkRejects(
        bench.store.renew(first, longMs(bench.store)),
        LeaseLostError,
        'renewed by the old lease',
      )
      checkEqual(await ask(bench, name), undefined, 'still held')
    },
  },
  {
    name: 'repeating an attempt returns the same lease and does not move its end',
    shows: ['LK-5', 'G-1'],
    async run(bench) {
      const name = bench.unique('repeat')
      const attemptId = bench.runtime.random.id('conformance')
      const ttlMs = shortMs(bench.store)
      const first = await take(bench, name, { attemptId, ttlMs })
      await bench.passMs(ttlMs / 2)
      const again = await take(bench, name, { attemptId, ttlMs })
      checkEqual(again.token, first.token, 'the token')
      check(again.validUntilMs <= first.validUntilMs + 1, 'it is not valid any longer')
      const elsewhere = await take(bench, name, { attemptId, ttlMs }, await bench.another())
      checkEqual(elsewhere.token, first.token, 'the token, asked through another client')
      await bench.passMs(ttlMs)
      const next = await take(bench, name, {}, await bench.another())
      check(next.token > first.token, 'the name was free at the first end')
    },
  },
  {
    name: 'renewing moves the end and keeps the token',
    shows: ['LK-3'],
    async run(bench) {
      const name = bench.unique('renew')
      const ttlMs = shortMs(bench.store)
      let lease = await take(bench, name, { ttlMs })
      for (let round = 0; round < 4; round += 1) {
        await bench.passMs(ttlMs / 2)
        const renewed = await bench.store.renew(lease, ttlMs)
        checkEqual(renewed.token, lease.token, 'the token')
        check(renewed.validUntilMs > lease.validUntilMs, 'it is valid longer')
        lease = renewed
      }
      checkEqual(await ask(bench, name, {}, await bench.another()), undefined, 'still held')
    },
  },
  {
    name: 'renewing never shortens a lease',
    shows: ['LK-3'],
    async run(bench) {
      const name = bench.unique('shorten')
      const lease = await take(bench, name)
      const renewed = await bench.store.renew(lease, shortMs(bench.store))
      check(renewed.validUntilMs >= lease.validUntilMs - 1, 'it is valid as long as it was')
      await pastShort(bench)
      checkEqual(await ask(bench, name, {}, await bench.another()), undefined, 'still held')
    },
  },
  {
    name: 'validity is counted from before the request and gives up the drift margin',
    shows: ['LK-3', 'G-2'],
    async run(bench) {
      const ttlMs = longMs(bench.store)
      const { clock } = bench.runtime
      const over = { acquire: Number.POSITIVE_INFINITY, renew: Number.POSITIVE_INFINITY }
      // The best of three: between reading the clock here and there the machine may do other work.
      for (let round = 0; round < 3; round += 1) {
        const beforeAcquireMs = clock.monotonicMs()
        const lease = await take(bench, bench.unique('validity'), { ttlMs })
        over.acquire = Math.min(over.acquire, lease.validUntilMs - beforeAcquireMs)
        await bench.passMs(50)
        const beforeRenewMs = clock.monotonicMs()
        const renewed = await bench.store.renew(lease, ttlMs)
        over.renew = Math.min(over.renew, renewed.validUntilMs - beforeRenewMs)
        check(renewed.validUntilMs > clock.monotonicMs(), 'it is valid at all')
      }
      const mostMs = ttlMs * (1 - leaseDriftMargin) + 1
      check(over.acquire <= mostMs, `after acquire, for ${over.acquire} ms of ${mostMs}`)
      check(over.renew <= mostMs, `after renew, for ${over.renew} ms of ${mostMs}`)
    },
  },
  {
    name: 'evicting frees the name whoever holds it, and the holder finds out',
    shows: ['LK-10'],
    async run(bench) {
      const name = bench.unique('evict')
      const lease = await take(bench, name)
      const other = await bench.another()
      checkEqual(await other.evict(name), true, 'evicted')
      checkEqual(await other.evict(name), false, 'evicted again')
      const ttlMs = longMs(bench.store)
      await checkRejects(bench.store.renew(lease, ttlMs), LeaseLostError, 'the evicted renews')
      const next = await take(bench, name, {}, other)
      check(next.token > lease.token, 'the next token is larger')
      checkEqual(await bench.store.release(lease), false, 'the evicted releases')
    },
  },
  {
    name: 'a client that dies blocks the name for one time to live, no longer',
    shows: ['LK-5'],
    async run(bench) {
      const mortal = await bench.mortal?.()
      if (mortal === undefined) return
      const name = bench.unique('orphan')
      const old = await take(bench, name, { ttlMs: shortMs(bench.store) }, mortal.store)
      mortal.die()
      await pastShort(bench)
      const next = await take(bench, name)
      check(next.token > old.token, 'the next token is larger')
    },
  },
]
