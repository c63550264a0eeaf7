/**
 * What the cases cannot see from outside: that the history stays bounded, that a power cut takes no
 * number back, and that a session knows when it is over.
 */
import { describe, expect, it } from 'vitest'
import { LeaseLostError, LimitExceededError, UnavailableError } from '../../errors.ts'
import type { RegistryChange } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { SqlFile } from '../../runtime/sql.ts'
import { expectClean, inVirtualTime, simulate } from '../../testing/index.ts'
import { type EmbeddedStores, embedded } from './embedded.ts'
import { embeddedMigrations } from './migrations.ts'
import { entriesMax, eventsRetained, sessionsMax } from './registry-statements.ts'

const path = '/keeping.db'
const namespace = 'keeping'

function trial(body: (runtime: Runtime, stores: EmbeddedStores, file: SqlFile) => Promise<void>) {
  return inVirtualTime(async (_world, runtime) => {
    const stores = await embedded(runtime, { path, namespace })
    const file = await runtime.sql.open({ path, migrations: embeddedMigrations })
    await body(runtime, stores, file)
    await file.close()
    await stores.close()
  })
}

/** The first change that a watch yields. */
async function firstOf(stores: EmbeddedStores, fromRevision: bigint): Promise<RegistryChange> {
  const over = new AbortController()
  for await (const change of stores.registry.watch('', { signal: over.signal, fromRevision })) {
    over.abort()
    return change
  }
  throw new Error('the watch ended')
}

/** A runtime whose files fail while `failing()` says so. */
function failingRuntime(runtime: Runtime, failing: () => boolean): Runtime {
  return {
    ...runtime,
    sql: {
      async open(options) {
        const file = await runtime.sql.open(options)
        return {
          run: (batch) =>
            failing() ? Promise.reject(new UnavailableError('out of reach')) : file.run(batch),
          listen: (topic, wake) => file.listen(topic, wake),
          close: () => file.close(),
        }
      },
    },
  }
}

describe('embedded registry', () => {
  it('RG-2, G-11: the history is bounded, and a place before it is answered with compacted', () =>
    trial(async (_runtime, { registry, ...stores }, file) => {
      const session = await registry.openSession({ ttlMs: 3_600_000, owner: 'test' })
      const first = (await registry.register(session, 'a', '0')) ?? 0n
      for (let written = 0; written < eventsRetained + 50; written += 50) {
        await Promise.all(
          Array.from({ length: 50 }, (_, index) => registry.register(session, 'a', `${index}`)),
        )
      }
      const { results } = await file.run({
        statements: [{ sql: 'SELECT count(*) AS n FROM holdfast_registry_event' }],
        mode: 'read',
      })
      expect(results[0]?.rows[0]?.n).toBe(eventsRetained)
      const all = { registry, ...stores }
      expect((await firstOf(all, first)).kind).toBe('compacted')
      const { revision } = await registry.list('')
      const oldest = revision - BigInt(eventsRetained)
      expect((await firstOf(all, oldest - 1n)).kind).toBe('compacted')
      expect(await firstOf(all, oldest)).toMatchObject({ kind: 'put', revision: oldest + 1n })
    }))

  it('G-11: a namespace holds a stated number of entries and of sessions', () =>
    trial(async (_runtime, { registry }, file) => {
      const session = await registry.openSession({ ttlMs: 3_600_000, owner: 'test' })
      await registry.register(session, 'mine', '')
      const numbers = `WITH RECURSIVE n(i) AS
        (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)`
      await file.run({
        statements: [
          {
            sql: `INSERT INTO holdfast_entry
                    (namespace, key, value, session, incarnation, revision)
                  ${numbers} SELECT ?2, 'x' || i, '', 's', 0, 0 FROM n`,
            parameters: [entriesMax, namespace],
          },
          {
            sql: `INSERT INTO holdfast_session (namespace, id, incarnation, owner, expires_ms)
                  ${numbers} SELECT ?2, 'x' || i, 0, '', 1e15 FROM n`,
            parameters: [sessionsMax, namespace],
          },
        ],
      })
      await expect(registry.register(session, 'new', '')).rejects.toThrow(LimitExceededError)
      expect(await registry.register(session, 'mine', 'changed')).toBeDefined()
      expect((await registry.list('')).entries).toHaveLength(entriesMax)
      const another = registry.openSession({ ttlMs: 60_000, owner: '' })
      await expect(another).rejects.toThrow(LimitExceededError)
    }))

  it('RG-1, RG-2: a power cut ends all sessions and takes no revision or incarnation back', async () => {
    const report = await simulate({ seeds: 20 }, (world) => {
      const host = world.machine('host')
      let revision = 0n
      let incarnation = 0n
      let boots = 0
      host.process('instance', async (runtime) => {
        const stores = await embedded(runtime, { path, namespace })
        boots += 1
        if (boots > 1) {
          const { entries } = await stores.registry.list('')
          if (entries.length > 0) world.fail('ghost', JSON.stringify(entries[0]?.key))
          const change = await firstOf(stores, revision)
          if (change.kind !== 'compacted') world.fail('resumed', `${change.kind} after a power cut`)
        }
        for (;;) {
          const session = await stores.registry.openSession({ ttlMs: 5_000, owner: 'instance' })
          if (session.incarnation <= incarnation) world.fail('incarnation', 'it did not grow')
          incarnation = session.incarnation
          const next = (await stores.registry.register(session, `key-${incarnation}`, '')) ?? 0n
          if (next <= revision) world.fail('revision', `${next} after ${revision}`)
          revision = next
          await sleep(runtime.timers, 20)
        }
      })
      world.client('clock', async (runtime) => {
        for (let cut = 0; cut < 3; cut += 1) {
          await sleep(runtime.timers, 300 + 300 * runtime.random.fraction('cut'))
          host.crash()
          await sleep(runtime.timers, 50)
          host.restart()
        }
        await sleep(runtime.timers, 500)
        if (boots !== 4) world.fail('idle', `${boots} boots`)
      })
    })
    expectClean(report, 20)
  })

  it('RG-5, G-3: a process paused for longer than its session learns it at its next look', async () => {
    const report = await simulate({ seeds: 10 }, (world) => {
      const host = world.machine('host')
      let looked = false
      const sleeper = host.process('sleeper', async (runtime) => {
        const { registry } = await embedded(runtime, { path, namespace })
        const session = await registry.openSession({ ttlMs: 1_000, owner: 'sleeper' })
        await registry.register(session, 'sleeper', '')
        for (;;) {
          const beforeMs = runtime.clock.monotonicMs()
          await sleep(runtime.timers, 10)
          if (runtime.clock.monotonicMs() - beforeMs < 2_000) continue
          // No timer of the session need have run yet: the look itself must tell.
          if (!session.lost.aborted) world.fail('believes', 'a session that is over')
          if (!(session.lost.reason instanceof LeaseLostError)) world.fail('reason', 'is wrong')
          looked = true
          return
        }
      })
      host.process('watcher', async (runtime) => {
        const { registry } = await embedded(runtime, { path, namespace })
        await sleep(runtime.timers, 500)
        if ((await registry.list('')).entries.length !== 1) world.fail('absent', 'before the pause')
        sleeper.pause(3_000)
        await sleep(runtime.timers, 1_500)
        if ((await registry.list('')).entries.length !== 0) world.fail('ghost', 'after its end')
      })
      world.client('clock', async (runtime) => {
        await sleep(runtime.timers, 6_000)
        if (!looked) world.fail('idle', 'the sleeper never looked')
      })
    })
    expectClean(report, 10)
  })

  it('RG-3, LK-3: a session outlives a store that is out of reach for less than its time', () =>
    inVirtualTime(async (_world, runtime) => {
      let failing = false
      const shaky = failingRuntime(runtime, () => failing)
      const stores = await embedded(shaky, { path, namespace })
      const session = await stores.registry.openSession({ ttlMs: 3_000, owner: 'test' })
      for (let round = 0; round < 5; round += 1) {
        failing = true
        await sleep(runtime.timers, 1_800)
        failing = false
        await sleep(runtime.timers, 1_000)
        expect(session.lost.aborted).toBe(false)
      }
      failing = true
      await sleep(runtime.timers, 3_000)
      expect(session.lost.aborted).toBe(true)
      expect(session.lost.reason).toBeInstanceOf(LeaseLostError)
      failing = false
      await stores.close()
    }))

  it('RG-3: a watch rides out a short outage, and throws after a longer one', () =>
    inVirtualTime(async (_world, runtime) => {
      let failing = false
      const shaky = failingRuntime(runtime, () => failing)
      const stores = await embedded(shaky, { path, namespace, pollMs: 1_000 })
      const over = new AbortController()
      const seen: string[] = []
      const watching = (async () => {
        for await (const { kind } of stores.registry.watch('', { signal: over.signal })) {
          seen.push(kind)
        }
      })()
      const failed = watching.catch((error: unknown) => error)
      await sleep(runtime.timers, 100)
      failing = true
      await sleep(runtime.timers, 1_500)
      failing = false
      const session = await stores.registry.openSession({ ttlMs: 60_000, owner: 'test' })
      await stores.registry.register(session, 'a', '')
      await sleep(runtime.timers, 2_000)
      expect(seen).toEqual(['snapshot', 'put'])
      failing = true
      await sleep(runtime.timers, 5_000)
      expect(await failed).toBeInstanceOf(UnavailableError)
      failing = false
      await stores.close()
    }))
})
