import { describe, expect, it } from 'vitest'
import { CorruptDataError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { type ClusterWorld, type ClusterWorldOptions, clusterWorld } from './cluster-world.sim.ts'

function withCluster(
  body: (cluster: ClusterWorld, runtime: Runtime, world: World) => Promise<void>,
  options: ClusterWorldOptions = {},
): Promise<void> {
  return inVirtualTime(async (world, runtime) => {
    const cluster = clusterWorld(world, options)
    await sleep(runtime.timers, 2_000)
    await body(cluster, runtime, world)
  })
}

describe('the operator', () => {
  it('sees who leads, who follows, and who does not answer', () =>
    withCluster(async (cluster, runtime) => {
      const operator = cluster.operator(runtime)
      const before = await operator.status()
      expect(before.map(({ report }) => report?.id)).toEqual(['m1', 'm2', 'm3'])
      const roles = before.map(({ report }) => report?.raft.role).sort()
      expect(roles).toEqual(['follower', 'follower', 'leader'])
      cluster.processes[1]?.kill()
      const after = await operator.status()
      expect(after.map(({ report }) => report?.id)).toEqual(['m1', undefined, 'm3'])
      await operator.close()
    }))

  it('RF-8, EL-5: hands leadership over while clients go on', () =>
    withCluster(async (cluster, runtime) => {
      const operator = cluster.operator(runtime)
      const { records, close } = cluster.connect(runtime)
      for (const target of ['m2', 'm3', 'm1']) {
        await operator.transfer(target)
        expect(cluster.leader()?.name).toBe(target)
        await records.increment('s', 'n', 1n)
      }
      expect(await records.increment('s', 'n', 0n)).toBe(3n)
      await close()
      await operator.close()
    }))

  it('RF-6: a new member is added, catches up, votes, and another one leaves for good', () =>
    withCluster(async (cluster, runtime) => {
      const operator = cluster.operator(runtime)
      const { records, close } = cluster.connect(runtime)
      for (let write = 0; write < 50; write += 1) await records.increment('s', 'n', 1n)
      expect(await operator.snapshot()).toBe(3)
      cluster.joiner('m4')
      await operator.addLearner('m4', 'm4:4100')
      await sleep(runtime.timers, 2_000)
      const configuration = await operator.promote('m4')
      expect([...configuration.voters].sort()).toEqual(['m1', 'm2', 'm3', 'm4'])
      await operator.transfer('m4')
      await operator.remove('m1')
      await sleep(runtime.timers, 1_000)
      expect(await records.increment('s', 'n', 0n)).toBe(50n)
      await expect(operator.addLearner('m1', 'm1:4100')).rejects.toThrow()
      await close()
      await operator.close()
    }))

  it('LK-2, RF-9: a backup starts a new cluster whose tokens are above all that were given out', () =>
    inVirtualTime(async (world, runtime) => {
      const old = clusterWorld(world, { prefix: 'old' })
      const young = clusterWorld(world, { prefix: 'new', members: 1 })
      await sleep(runtime.timers, 2_000)
      const request = { name: 'n', ttlMs: 1_000, attemptId: 'a' }
      const before = old.connect(runtime)
      const value = JSON.stringify('é🐙'.repeat(200_000))
      await before.records.put({ space: 's', key: 'k', value, expected: 'any' })
      await before.records.increment('s', 'n', 41n)
      const session = await before.registry.openSession({ ttlMs: 3_600_000, owner: 'o' })
      await before.registry.register(session, 'key', 'there')
      const operator = old.operator(runtime)
      await operator.backup('/backup')
      const later = await before.leases.acquire(request)
      await before.close()
      await operator.close()

      const restorer = young.operator(runtime)
      expect(await restorer.restore('/backup')).toBe(1)
      const after = young.connect(runtime)
      expect((await after.records.get('s', 'k'))?.value).toBe(value)
      expect(await after.records.increment('s', 'n', 1n)).toBe(42n)
      expect((await after.registry.list('')).entries.map((entry) => entry.value)).toEqual(['there'])
      const next = await after.leases.acquire(request)
      expect(next?.token).toBeGreaterThan(later?.token ?? 0n)
      await expect(restorer.restore('/backup'), 'not empty any more').rejects.toThrow()
      await after.close()
      await restorer.close()
    }))

  it('G-9: a damaged backup is refused, and nothing of it is taken', () =>
    withCluster(async (cluster, runtime) => {
      const operator = cluster.operator(runtime)
      const size = await operator.backup('/backup')
      const file = await runtime.disk.open('/backup', 'update')
      await file.writeAt(Math.floor(size / 2), Uint8Array.of(0x7e))
      await file.close()
      await expect(operator.restore('/backup')).rejects.toThrow(CorruptDataError)
      await operator.close()
    }))
})
