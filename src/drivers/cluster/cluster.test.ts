import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import { CheckFailed } from '../../ports/check.ts'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import type { Lease, LeaseStore } from '../../ports/lease-store.ts'
import { recordStoreConformance } from '../../ports/record-store.conformance.ts'
import { registryConformance } from '../../ports/registry.conformance.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import type { Engine } from '../../testing/engines/engine.ts'
import { runEngineCase, titleOf } from '../../testing/engines/engine-trial.ts'
import { inVirtualTime } from '../../testing/index.ts'
import type { ClusterStores } from './cluster.ts'
import { type ClusterWorld, clusterWorld } from './cluster-world.sim.ts'

describe('three members in virtual time: leases', () => {
  for (const one of leaseStoreConformance) {
    it(titleOf(one), async ({ skip }) => {
      const pick = ({ leases }: ClusterStores): ClusterStores['leases'] => leases
      const reason = await runEngineCase(one, { engine: (world) => clusterWorld(world), pick })
      if (reason !== undefined) skip(reason)
    })
  }
})

describe('three members in virtual time: registry', () => {
  for (const one of registryConformance) {
    it(titleOf(one), async ({ skip }) => {
      const pick = ({ registry }: ClusterStores): ClusterStores['registry'] => registry
      const reason = await runEngineCase(one, { engine: (world) => clusterWorld(world), pick })
      if (reason !== undefined) skip(reason)
    })
  }
})

describe('three members in virtual time: records', () => {
  for (const one of recordStoreConformance) {
    it(titleOf(one), async ({ skip }) => {
      const pick = ({ records }: ClusterStores): ClusterStores['records'] => records
      const reason = await runEngineCase(one, { engine: (world) => clusterWorld(world), pick })
      if (reason !== undefined) skip(reason)
    })
  }
})

describe('three members in virtual time, read from any of them', () => {
  const engine = (world: World): Engine<ClusterStores> => {
    const cluster = clusterWorld(world)
    return { ...cluster, connect: (runtime) => cluster.connect(runtime, { readFrom: 'any' }) }
  }
  for (const one of registryConformance) {
    it(`RF-5, ${titleOf(one)}`, async ({ skip }) => {
      const pick = ({ registry }: ClusterStores): ClusterStores['registry'] => registry
      const reason = await runEngineCase(one, { engine, pick })
      if (reason !== undefined) skip(reason)
    })
  }
  for (const one of recordStoreConformance) {
    it(`RF-5, ${titleOf(one)}`, async ({ skip }) => {
      const pick = ({ records }: ClusterStores): ClusterStores['records'] => records
      const reason = await runEngineCase(one, { engine, pick })
      if (reason !== undefined) skip(reason)
    })
  }
})

describe('the cases turn red when', () => {
  it('G-14: a release looks at the name alone', async () => {
    const one = leaseStoreConformance.find(({ name }) => name.startsWith('a retried release'))
    if (one === undefined) throw new Error('there is no such case')
    const broken = (store: LeaseStore): LeaseStore => ({
      ...store,
      release: (lease) => store.evict(lease.name),
    })
    const pick = ({ leases }: ClusterStores): LeaseStore => leases
    const trial = { engine: (world: World) => clusterWorld(world), pick, broken }
    await expect(runEngineCase(one, trial)).rejects.toThrow(CheckFailed)
  })
})

function withCluster(
  body: (cluster: ClusterWorld, runtime: Runtime, world: World) => Promise<void>,
): Promise<void> {
  return inVirtualTime(async (world, runtime) => {
    const cluster = clusterWorld(world)
    await sleep(runtime.timers, 2_000)
    await body(cluster, runtime, world)
  })
}

describe('a cluster whose leader dies', () => {
  it('G-1, RF-9: a command whose answer was lost is answered by the next leader, once carried out', () =>
    withCluster(async (cluster, runtime, world) => {
      const { records, close } = cluster.connect(runtime)
      await records.increment('s', 'n', 1n)
      const leader = cluster.leader()?.name ?? ''
      // The leader hears the command and agrees on it with the others, but its answer never comes.
      world.faults.partition(leader, 'machine', { oneWay: true })
      const answer = records.increment('s', 'n', 1n)
      await sleep(runtime.timers, 500)
      cluster.processes[cluster.machines.indexOf(leader)]?.kill()
      expect(await answer).toBe(2n)
      expect(await records.increment('s', 'n', 0n)).toBe(2n)
      await close()
    }))

  it('G-1: with no member left a command that could not be sent did not happen', () =>
    withCluster(async (cluster, runtime) => {
      const { records, close } = cluster.connect(runtime)
      await records.increment('s', 'n', 1n)
      for (const process of cluster.processes) process.kill()
      // Until the client hears that its connection is gone, it cannot know that nothing was heard.
      await sleep(runtime.timers, 1_000)
      await expect(records.increment('s', 'n', 1n)).rejects.toThrow(UnavailableError)
      await expect(records.get('s', 'k')).rejects.toThrow(UnavailableError)
      for (const process of cluster.processes) process.restart()
      expect(await records.increment('s', 'n', 0n)).toBe(1n)
      await close()
    }))

  it('G-1: a command that was sent and never answered is unknown', () =>
    withCluster(async (cluster, runtime, world) => {
      const { records, close } = cluster.connect(runtime)
      await records.increment('s', 'n', 1n)
      for (const machine of cluster.machines) {
        world.faults.partition(machine, 'machine', { oneWay: true })
      }
      await expect(records.increment('s', 'n', 1n)).rejects.toThrow(OutcomeUnknownError)
      world.faults.heal()
      const sum = await records.increment('s', 'n', 0n)
      expect([1n, 2n]).toContain(sum)
      await close()
    }))

  it('LK-2, LK-3: keeps its leases, a little longer than asked, and its tokens', () =>
    withCluster(async (cluster, runtime) => {
      const { leases, close } = cluster.connect(runtime)
      const request = { name: 'n', ttlMs: 2_000 }
      const first = await leases.acquire({ ...request, attemptId: 'a' })
      const diesAtMs = runtime.clock.monotonicMs() + 2_000
      cluster.processes[cluster.machines.indexOf(cluster.leader()?.name ?? '')]?.kill()
      let second: Lease | undefined
      while (second === undefined) {
        second = await leases.acquire({ ...request, attemptId: 'b' })
        await sleep(runtime.timers, 20)
      }
      expect(runtime.clock.monotonicMs()).toBeGreaterThanOrEqual(diesAtMs)
      expect(second.token).toBeGreaterThan(first?.token ?? 0n)
      await close()
    }))
})
