import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError, outcomeOf } from '../../errors.ts'
import { CheckFailed } from '../../ports/check.ts'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import type { LeaseStore } from '../../ports/lease-store.ts'
import { registryConformance } from '../../ports/registry.conformance.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime, type World } from '../index.ts'
import { runEngineCase, titleOf } from './engine-trial.ts'
import {
  flawedZookeeper,
  type ZookeeperEngine,
  type ZookeeperEngineOptions,
  type ZookeeperEngineStores,
  zookeeperEngine,
} from './zookeeper-engine.ts'

const on = <Store>(pick: (stores: ZookeeperEngineStores) => Store) => ({
  engine: zookeeperEngine,
  pick,
})
const leases = on((stores) => stores.leases)
const registry = on((stores) => stores.registry)

describe('zookeeper-like, in virtual time', () => {
  for (const one of leaseStoreConformance) {
    it(titleOf(one), async (context) => {
      const reason = await runEngineCase(one, leases)
      if (reason !== undefined) context.skip(reason)
    })
  }
  for (const one of registryConformance) it(titleOf(one), () => runEngineCase(one, registry))
})

interface Scene {
  readonly world: World
  readonly runtime: Runtime
  readonly keeper: ZookeeperEngine
  readonly stores: ZookeeperEngineStores
}

function withKeeper(
  body: (scene: Scene) => Promise<void>,
  options: ZookeeperEngineOptions = {},
): Promise<void> {
  return inVirtualTime(async (world, runtime) => {
    const keeper = zookeeperEngine(world, options)
    await sleep(runtime.timers, 1_000)
    const stores = keeper.connect(runtime)
    await body({ world, runtime, keeper, stores })
    await stores.close()
  })
}

/** Asks until there is an answer, as a careful user does. */
async function insist<Value>(runtime: Runtime, work: () => Promise<Value>): Promise<Value> {
  for (let tries = 0; tries < 60; tries += 1) {
    try {
      return await work()
    } catch {
      await sleep(runtime.timers, 250)
    }
  }
  return work()
}

const request = { name: 'n', ttlMs: 4_000 }

describe('sessions', () => {
  it('LK-5: all leases of a session end together, and leases of another time do not', () =>
    withKeeper(async ({ world, runtime, keeper, stores }) => {
      world.machine('holder').process('holder', async (mine) => {
        const { leases } = keeper.connect(mine)
        for (const name of ['a', 'b']) await leases.acquire({ name, ttlMs: 4_000, attemptId: name })
        await leases.acquire({ name: 'long', ttlMs: 60_000, attemptId: 'long' })
        await new Promise<never>(() => {})
      })
      await sleep(runtime.timers, 1_000)
      const names = async () => (await stores.leases.list('', { limit: 9 })).map(({ name }) => name)
      expect(await names()).toEqual(['a', 'b', 'long'])
      for (const machine of keeper.machines) world.faults.partition('holder', machine)
      await sleep(runtime.timers, 5_500)
      expect(await names()).toEqual(['long'])
    }))

  it('LE-4: a change of leader gives a session its whole time again', () =>
    withKeeper(async ({ world, runtime, keeper, stores }) => {
      world.machine('holder').process('holder', async (mine) => {
        await keeper.connect(mine).leases.acquire({ ...request, attemptId: 'a' })
        world.faults.partition('holder', 'zookeeper-1')
        world.faults.partition('holder', 'zookeeper-2')
        world.faults.partition('holder', 'zookeeper-3')
        await new Promise<never>(() => {})
      })
      await sleep(runtime.timers, 3_500)
      keeper.changeLeader()
      const { leases } = stores
      const ask = () => insist(runtime, () => leases.acquire({ ...request, attemptId: 'b' }))
      await sleep(runtime.timers, 3_000)
      expect(await ask(), 'extended').toBeUndefined()
      await sleep(runtime.timers, 5_000)
      expect(await ask(), 'over').toBeDefined()
    }))

  it('RG-5: that begin late in a term have their whole time, too', () =>
    withKeeper(async ({ runtime, stores: { registry } }) => {
      await sleep(runtime.timers, 10_000)
      for (let round = 0; round < 5; round += 1) {
        const session = await registry.openSession({ ttlMs: 2_000, owner: 'o' })
        await sleep(runtime.timers, 130)
        expect(await registry.register(session, 'k', 'v')).toBeDefined()
        await sleep(runtime.timers, 300)
        expect((await registry.list('')).entries).toHaveLength(1)
        await session.close()
      }
    }))

  it('LE-4: survive the death of the leader, with all that hangs on them', () =>
    withKeeper(async ({ runtime, keeper, stores }) => {
      const { leases, registry } = stores
      const session = await registry.openSession({ ttlMs: 10_000, owner: 'o' })
      await registry.register(session, 'k', 'v')
      const lease = await leases.acquire({ name: 'n', ttlMs: 20_000, attemptId: 'a' })
      keeper.leader()?.kill()
      await sleep(runtime.timers, 4_000)
      const { entries } = await insist(runtime, () => registry.list(''))
      expect(entries.map(({ key }) => key)).toEqual(['k'])
      expect(session.lost.aborted).toBe(false)
      const renewed = lease && (await insist(runtime, () => leases.renew(lease, 20_000)))
      expect(renewed?.token).toBe(lease?.token)
    }))
})

describe('members', () => {
  const oldest = { lagMs: 5_000 }

  async function listedElsewhere({ runtime, keeper, stores }: Scene): Promise<Set<number>> {
    const session = await stores.registry.openSession({ ttlMs: 60_000, owner: 'o' })
    await insist(runtime, () => stores.registry.register(session, 'k', 'v'))
    const seen = new Set<number>()
    for (let reader = 0; reader < 12; reader += 1) {
      const other = keeper.connect(runtime)
      const listed = await insist(runtime, () => other.registry.list(''))
      seen.add(listed.entries.length)
      await other.close()
    }
    return seen
  }

  it('RG-2: show old data to who does not ask the leader first', () =>
    withKeeper(async (scene) => expect(await listedElsewhere(scene)).toEqual(new Set([0, 1])), {
      lagMs: 500,
      staleReads: true,
    }))

  it('RG-2: show no old data to who does', () =>
    withKeeper(async (scene) => expect(await listedElsewhere(scene)).toEqual(new Set([1])), {
      lagMs: 500,
    }))

  it('G-1: that are too far behind say that they do not know', () =>
    withKeeper(async ({ runtime, keeper }) => {
      const outcomes = new Set<string>()
      for (let client = 0; client < 12; client += 1) {
        const { registry } = keeper.connect(runtime)
        const opened = await registry.openSession({ ttlMs: 2_000, owner: '' }).then(
          () => 'opened',
          (error: unknown) => (error instanceof OutcomeUnknownError ? 'unknown' : String(error)),
        )
        outcomes.add(opened)
      }
      expect(outcomes).toEqual(new Set(['opened', 'unknown']))
    }, oldest))

  it('LE-4: without a majority nothing is granted, and no client is left with a lone member', () =>
    withKeeper(async ({ world, runtime, keeper, stores }) => {
      await stores.leases.acquire({ ...request, attemptId: 'a' })
      world.faults.partition('zookeeper-1', 'zookeeper-2')
      world.faults.partition('zookeeper-1', 'zookeeper-3')
      await sleep(runtime.timers, 4_000)
      expect(keeper.leader()?.name).not.toContain('zookeeper-1')
      for (let client = 0; client < 8; client += 1) {
        const { registry } = keeper.connect(runtime)
        await insist(runtime, () => registry.list(''))
      }
      world.faults.partition('zookeeper-2', 'zookeeper-3')
      await sleep(runtime.timers, 3_000)
      const outcomes = new Set<string>()
      for (let tries = 0; tries < 8; tries += 1) {
        const asking = stores.leases.acquire({ ...request, name: 'other', attemptId: 'b' })
        outcomes.add(await asking.then(() => 'granted', outcomeOf))
      }
      expect(outcomes).toContain('not-applied')
      expect(outcomes).not.toContain('granted')
    }))
})

describe('the cases turn red when', () => {
  const flawed = (world: World) => flawedZookeeper(world, { flaw: 'dead-nodes-stay' })
  const caseOf = <Case extends { readonly name: string }>(cases: readonly Case[], name: string) => {
    const found = cases.find((one) => one.name === name)
    if (found === undefined) throw new Error(`there is no case "${name}"`)
    return found
  }

  it('G-14: the lock of an expired session stays', async () => {
    const name = 'a client that dies blocks the name for one time to live, no longer'
    const one = caseOf(leaseStoreConformance, name)
    await expect(runEngineCase(one, { ...leases, engine: flawed })).rejects.toThrow(CheckFailed)
  })

  it('G-14: the entry of an expired session stays', async () => {
    const name = 'the entries of a client that died vanish at its expiry, and their keys are free'
    const one = caseOf(registryConformance, name)
    await expect(runEngineCase(one, { ...registry, engine: flawed })).rejects.toThrow(CheckFailed)
  })

  it('G-14: a lease lives as long as its session, renewed or not', async () => {
    const name = 'after a takeover the old holder can neither renew nor release'
    const one = caseOf(leaseStoreConformance, name)
    const broken = (store: LeaseStore): LeaseStore => ({
      ...store,
      acquire: (asked) => store.acquire({ ...asked, ttlMs: 3_600_000 }),
    })
    await expect(runEngineCase(one, { ...leases, broken })).rejects.toThrow(CheckFailed)
  })
})
