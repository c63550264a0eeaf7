/**
 * What the cases cannot see from outside: that rows stay bounded, that only the first in line is woken,
 * and that a power cut takes no token back.
 */
import { describe, expect, it } from 'vitest'
import { LimitExceededError } from '../../errors.ts'
import type { Lease, LeaseStore } from '../../ports/lease-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { SqlFile, SqlRow } from '../../runtime/sql.ts'
import { expectClean, inVirtualTime, simulate } from '../../testing/index.ts'
import { embedded } from './embedded.ts'
import { leaseFreeRetainMs, leaseWaitersMax } from './lease-statements.ts'
import { embeddedMigrations } from './migrations.ts'

const path = '/keeping.db'
const namespace = 'keeping'

function trial(body: (runtime: Runtime, leases: LeaseStore, file: SqlFile) => Promise<void>) {
  return inVirtualTime(async (_world, runtime) => {
    const stores = await embedded(runtime, { path, namespace })
    const file = await runtime.sql.open({ path, migrations: embeddedMigrations })
    await body(runtime, stores.leases, file)
    await file.close()
    await stores.close()
  })
}

async function rowsOf(file: SqlFile, sql: string): Promise<readonly SqlRow[]> {
  const { results } = await file.run({ statements: [{ sql }], mode: 'read' })
  return results[0]?.rows ?? []
}

async function take(leases: LeaseStore, runtime: Runtime, name: string): Promise<Lease> {
  const attemptId = runtime.random.id('test')
  const lease = await leases.acquire({ name, attemptId, ttlMs: 10_000 })
  if (lease === undefined) throw new Error(`"${name}" is taken`)
  return lease
}

describe('embedded leases', () => {
  it('LK-2, G-11: names long free are forgotten, and their tokens still grow', () =>
    trial(async (runtime, leases, file) => {
      const last = new Map<string, bigint>()
      for (let index = 0; index < 300; index += 1) {
        const name = `name-${index}`
        // Some names have been leased more often than others.
        for (let round = 0; round <= index % 3; round += 1) {
          const lease = await take(leases, runtime, name)
          last.set(name, lease.token)
          await leases.release(lease)
        }
      }
      await sleep(runtime.timers, leaseFreeRetainMs + 1)
      for (let index = 0; index < 600; index += 1) {
        await leases.release(await take(leases, runtime, 'busy'))
      }
      const [count] = await rowsOf(file, 'SELECT count(*) AS n FROM holdfast_lease')
      expect(count?.n).toBeLessThan(10)
      for (const [name, token] of last) {
        expect((await take(leases, runtime, name)).token).toBeGreaterThan(token)
      }
    }))

  it('LK-6, G-11: a line has a limit, and who stands in a full line keeps the place', () =>
    trial(async (runtime, leases, file) => {
      const holder = await take(leases, runtime, 'full')
      const inLine = { name: 'full', attemptId: 'first', ttlMs: 10_000, queueForMs: 60_000 }
      expect(await leases.acquire(inLine)).toBeUndefined()
      await file.run({
        statements: [
          {
            sql: `INSERT INTO holdfast_lease_waiter (namespace, name, attempt, boot, expires_ms)
                  WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                  SELECT ?2, 'full', 'w' || i, ?3, 1e15 FROM n`,
            parameters: [leaseWaitersMax, namespace, runtime.clock.bootId],
          },
        ],
      })
      const late = { ...inLine, attemptId: 'late' }
      await expect(leases.acquire(late)).rejects.toThrow(LimitExceededError)
      expect(await leases.acquire(inLine)).toBeUndefined()
      await leases.release(holder)
      expect(await leases.acquire(inLine)).toBeDefined()
      expect(await leases.acquire(late)).toBeUndefined()
    }))

  it('G-11: places that ran out are removed, even of names nobody asks for any more', () =>
    trial(async (runtime, leases, file) => {
      await take(leases, runtime, 'a')
      for (let index = 0; index < 50; index += 1) {
        await leases.acquire({ name: 'a', attemptId: `w${index}`, ttlMs: 100, queueForMs: 100 })
      }
      await sleep(runtime.timers, 200)
      await take(leases, runtime, 'b')
      expect(await rowsOf(file, 'SELECT attempt FROM holdfast_lease_waiter')).toEqual([])
    }))

  it('LK-6, LD-5: of a thousand waiters in line, over four clients, a release wakes the first', () =>
    trial(async (runtime, leases) => {
      const clients = await Promise.all(
        [1, 2, 3, 4].map(() => embedded(runtime, { path, namespace })),
      )
      const holder = await take(leases, runtime, 'herd')
      const wakes = new Map<string, number>()
      for (let index = 0; index < 1_000; index += 1) {
        const store = clients[index % 4]?.leases ?? leases
        const attemptId = `w${index}`
        await store.acquire({ name: 'herd', attemptId, ttlMs: 10_000, queueForMs: 60_000 })
        const wake = (): void => void wakes.set(attemptId, (wakes.get(attemptId) ?? 0) + 1)
        store.watch('herd', wake, attemptId)
      }
      await leases.release(holder)
      await sleep(runtime.timers, 100)
      expect([...wakes.keys()]).toEqual(['w0'])
      for (const client of clients) await client.close()
    }))

  it('LK-2: a power cut frees every name at once and takes no token back', async () => {
    const report = await simulate({ seeds: 20 }, (world) => {
      const host = world.machine('host')
      let largest = 0n
      let boots = 0
      host.process('holder', async (runtime) => {
        boots += 1
        const { leases } = await embedded(runtime, { path, namespace })
        // Whoever held the name died with the earlier boot, so it is free without waiting.
        for (let round = 0; ; round += 1) {
          const attemptId = runtime.random.id('test')
          const lease = await leases.acquire({ name: 'a', attemptId, ttlMs: 3_600_000 })
          if (lease === undefined) return world.fail('held', `in boot ${boots}`)
          if (lease.token <= largest) world.fail('order', `${lease.token} after ${largest}`)
          largest = lease.token
          if (round > 5) await sleep(runtime.timers, 3_600_000)
          await leases.release(lease)
        }
      })
      world.client('clock', async (runtime) => {
        for (let cut = 0; cut < 4; cut += 1) {
          await sleep(runtime.timers, 200 + 400 * runtime.random.fraction('cut'))
          host.crash()
          await sleep(runtime.timers, 50)
          host.restart()
        }
        await sleep(runtime.timers, 2_000)
        if (boots !== 5 || largest < 6n) world.fail('idle', `${boots} boots, ${largest} tokens`)
      })
    })
    expectClean(report, 20)
  })
})
