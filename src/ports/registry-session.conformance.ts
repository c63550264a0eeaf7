/**
 * Entries belong to sessions: nobody else changes them, and they end with the session.
 */
import { ClosedError, InvalidArgumentError, LeaseLostError } from '../errors.ts'
import { check, checkEqual, checkRejects } from './check.ts'
import type { ConformanceCase } from './conformance.ts'
import type { Registry } from './registry.ts'
import { keysOf, openSession, shortMs, until } from './registry-bench.ts'

export const registrySessionCases: readonly ConformanceCase<Registry>[] = [
  {
    name: 'an entry is listed with its session, incarnation and revision, to every client',
    shows: ['RG-1'],
    async run(bench) {
      const key = bench.unique('listed')
      const session = await openSession(bench)
      const revision = await bench.store.register(session, key, 'here')
      const { id: sessionId, incarnation } = session
      const entry = { key, value: 'here', sessionId, incarnation, revision }
      const listed = await (await bench.another()).list(key)
      checkEqual(listed.entries, [entry], 'the entry')
      check(listed.revision >= (revision ?? 0n), 'the snapshot is not older than the entry')
    },
  },
  {
    name: 'a session replaces its own entry, with a larger revision',
    shows: ['RG-5'],
    async run(bench) {
      const key = bench.unique('replace')
      const session = await openSession(bench)
      const first = (await bench.store.register(session, key, 'one')) ?? 0n
      const second = (await bench.store.register(session, key, 'two')) ?? 0n
      check(second > first, 'revisions grow')
      const { entries } = await bench.store.list(key)
      checkEqual(
        entries.map(({ value }) => value),
        ['two'],
        'the value',
      )
    },
  },
  {
    name: 'the key of another living session is neither replaced nor removed',
    shows: ['RG-1'],
    async run(bench) {
      const key = bench.unique('protected')
      const other = await bench.another()
      const owner = await openSession(bench)
      const stranger = await openSession(bench, other)
      await bench.store.register(owner, key, 'mine')
      checkEqual(await other.register(stranger, key, 'stolen'), undefined, 'registered')
      checkEqual(await other.deregister(stranger, key), false, 'deregistered')
      const { entries } = await bench.store.list(key)
      checkEqual(entries[0]?.value, 'mine', 'the value')
    },
  },
  {
    name: 'a late deregistration of an old incarnation leaves the entry of the new one',
    shows: ['RG-1', 'RG-4'],
    async run(bench) {
      const key = bench.unique('late')
      const old = await openSession(bench)
      await bench.store.register(old, key, 'old')
      await old.close()
      const young = await openSession(bench)
      check(young.incarnation > old.incarnation, 'incarnations grow')
      await bench.store.register(young, key, 'young')
      checkEqual(await bench.store.deregister(old, key), false, 'deregistered by the old one')
      await old.close()
      const { entries } = await bench.store.list(key)
      checkEqual(entries[0]?.value, 'young', 'the value')
    },
  },
  {
    name: 'deregistering is safe to repeat',
    shows: ['RG-4', 'RG-6'],
    async run(bench) {
      const key = bench.unique('deregister')
      const session = await openSession(bench)
      await bench.store.register(session, key, '')
      checkEqual(await bench.store.deregister(session, key), true, 'the first time')
      checkEqual(await bench.store.deregister(session, key), false, 'the second time')
      checkEqual(await keysOf(bench.store, key), [], 'what is left')
    },
  },
  {
    name: 'closing a session removes all its entries at once, and only those',
    shows: ['RG-6'],
    async run(bench) {
      const base = bench.unique('close')
      const leaving = await openSession(bench)
      const staying = await openSession(bench)
      for (const end of ['a', 'b', 'd']) await bench.store.register(leaving, base + end, '')
      await bench.store.register(staying, `${base}c`, '')
      await leaving.close()
      await leaving.close()
      checkEqual(await keysOf(bench.store, base), [`${base}c`], 'what is left')
      check(leaving.lost.aborted, 'the session is lost')
      checkEqual(leaving.lost.reason instanceof ClosedError, true, 'the reason')
    },
  },
  {
    name: 'a session that is over registers nothing',
    shows: ['RG-1', 'RG-4'],
    async run(bench) {
      const key = bench.unique('over')
      const session = await openSession(bench)
      await session.close()
      await checkRejects(bench.store.register(session, key, ''), LeaseLostError, 'registered')
      checkEqual(await keysOf(bench.store, key), [], 'what is there')
    },
  },
  {
    name: 'a session that is kept alive outlives its time to live many times over',
    shows: ['RG-5'],
    async run(bench) {
      const key = bench.unique('alive')
      const ttlMs = shortMs(bench.store)
      const session = await bench.store.openSession({ ttlMs, owner: 'conformance' })
      await bench.store.register(session, key, '')
      const other = await bench.another()
      for (let round = 0; round < 5; round += 1) {
        await bench.passMs(ttlMs * 0.7)
        checkEqual(await keysOf(other, key), [key], 'it is listed')
        check(session.validUntilMs() > bench.runtime.clock.monotonicMs(), 'it is valid')
      }
      checkEqual(session.lost.aborted, false, 'lost')
    },
  },
  {
    name: 'the entries of a client that died vanish at its expiry, and their keys are free',
    shows: ['RG-1', 'RG-5'],
    async run(bench) {
      const mortal = await bench.mortal?.()
      if (mortal === undefined) return
      const key = bench.unique('died')
      const ttlMs = shortMs(bench.store)
      const dead = await mortal.store.openSession({ ttlMs, owner: 'mortal' })
      await mortal.store.register(dead, key, 'dead')
      mortal.die()
      const heir = await openSession(bench)
      checkEqual(await bench.store.register(heir, key, 'heir'), undefined, 'too early')
      await bench.passMs(ttlMs)
      await until(bench, 'the entry vanishes', async () => {
        return (await keysOf(bench.store, key)).length === 0
      })
      const revision = await bench.store.register(heir, key, 'heir')
      check(revision !== undefined, 'the key is free')
      check(dead.lost.aborted, 'whoever asks the dead session learns that it is lost')
      await checkRejects(bench.store.register(dead, key, 'x'), LeaseLostError, 'the dead registers')
      checkEqual(await bench.store.deregister(dead, key), false, 'the dead deregisters')
    },
  },
  {
    name: 'what is out of range is refused by name',
    shows: ['G-9', 'G-11'],
    async run(bench) {
      const { store } = bench
      const session = await openSession(bench)
      const key = bench.unique('limits')
      const refused = (work: Promise<unknown>, claim: string): Promise<void> =>
        checkRejects(work, InvalidArgumentError, claim)
      await refused(store.openSession({ ttlMs: 499, owner: '' }), 'a ttl of 499')
      await refused(store.openSession({ ttlMs: 3_600_001, owner: '' }), 'a ttl of over an hour')
      await refused(store.openSession({ ttlMs: 600, owner: 'x'.repeat(201) }), 'a long owner')
      await refused(store.register(session, '', ''), 'no key')
      await refused(store.register(session, '  ', ''), 'a blank key')
      await refused(store.register(session, 'x'.repeat(513), ''), 'a long key')
      await refused(store.register(session, key, 'x'.repeat(16_385)), 'a long value')
      await refused(store.list('x'.repeat(513)), 'a long prefix')
      const longest = '🔒'.repeat(8_192)
      check((await store.register(session, key, longest)) !== undefined, 'the longest value')
      checkEqual((await store.list(key)).entries[0]?.value, longest, 'the longest value, read')
      check((await store.register(session, key, '')) !== undefined, 'the empty value')
      checkEqual((await store.list(key)).entries[0]?.value, '', 'the empty value, read')
    },
  },
]
