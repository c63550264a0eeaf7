import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import { CheckFailed } from '../../ports/check.ts'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import type { LeaseStore } from '../../ports/lease-store.ts'
import { recordStoreConformance } from '../../ports/record-store.conformance.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import { registryConformance } from '../../ports/registry.conformance.ts'
import type { Registry, RegistryChange } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../index.ts'
import { runEngineCase, titleOf } from './engine-trial.ts'
import {
  type EtcdEngine,
  type EtcdEngineOptions,
  type EtcdEngineStores,
  etcdEngine,
} from './etcd-engine.ts'

const on = <Store>(pick: (stores: EtcdEngineStores) => Store) => ({ engine: etcdEngine, pick })
const leases = on((stores) => stores.leases)
const records = on((stores) => stores.records)
const registry = on((stores) => stores.registry)

describe('etcd-like, in virtual time', () => {
  for (const one of leaseStoreConformance) it(titleOf(one), () => runEngineCase(one, leases))
  for (const one of recordStoreConformance) it(titleOf(one), () => runEngineCase(one, records))
  for (const one of registryConformance) it(titleOf(one), () => runEngineCase(one, registry))
})

function withEtcd(
  body: (runtime: Runtime, etcd: EtcdEngine, stores: EtcdEngineStores) => Promise<void>,
  options: EtcdEngineOptions = {},
): Promise<void> {
  return inVirtualTime(async (world, runtime) => {
    const etcd = etcdEngine(world, options)
    await sleep(runtime.timers, 500)
    const stores = etcd.connect(runtime)
    await body(runtime, etcd, stores)
    await stores.close()
  })
}

const request = { name: 'n', ttlMs: 4_000 }
const put = { space: 's', key: 'k', value: '1', expected: 'any' } as const

describe('a change of leader', () => {
  it('LE-4: leaves a short time in which nothing is accepted, and loses nothing', () =>
    withEtcd(async (runtime, etcd, { records }) => {
      const version = await records.put(put)
      etcd.changeLeader()
      await expect(records.put(put)).rejects.toThrow(UnavailableError)
      await expect(records.get('s', 'k')).rejects.toThrow(UnavailableError)
      await sleep(runtime.timers, 2_000)
      expect((await records.get('s', 'k'))?.version).toBe(version)
    }))

  it('G-1: a write that was under way is unknown, and is there or not', () =>
    withEtcd(async (runtime, etcd, { records }) => {
      const seen = new Set<boolean>()
      for (let round = 0; round < 40; round += 1) {
        const key = `k${round}`
        await records.get('s', key)
        const writing = records.put({ ...put, key }).catch((error: unknown) => error)
        await sleep(runtime.timers, 1)
        etcd.changeLeader()
        const answer = await writing
        await sleep(runtime.timers, 2_000)
        const there = (await records.get('s', key)) !== undefined
        if (answer instanceof OutcomeUnknownError) seen.add(there)
        else expect(there, 'an answer and a refusal are sure').toBe(typeof answer === 'bigint')
      }
      expect([...seen].sort()).toEqual([false, true])
    }))

  it('LE-4: gives every lease its whole time again, so an expiry comes late and never early', () =>
    withEtcd(async (runtime, etcd, { leases }) => {
      const lease = await leases.acquire({ ...request, attemptId: 'a' })
      expect(lease).toBeDefined()
      await sleep(runtime.timers, 3_500)
      etcd.changeLeader()
      await sleep(runtime.timers, 3_000)
      expect(await leases.acquire({ ...request, attemptId: 'b' }), 'extended').toBeUndefined()
      await sleep(runtime.timers, 4_000)
      expect(await leases.acquire({ ...request, attemptId: 'b' }), 'over').toBeDefined()
    }))

  it('LE-4: the death of the leader keeps what was granted', () =>
    withEtcd(async (runtime, etcd, { leases }) => {
      const lease = await leases.acquire({ ...request, ttlMs: 20_000, attemptId: 'a' })
      etcd.process.kill()
      await expect(leases.acquire({ ...request, attemptId: 'b' })).rejects.toThrow()
      etcd.process.restart()
      await sleep(runtime.timers, 2_000)
      expect(await leases.acquire({ ...request, attemptId: 'b' })).toBeUndefined()
      expect(lease && (await leases.release(lease))).toBe(true)
    }))
})

describe('watches of the registry', () => {
  it('RG-2, LE-5: go on over the death of a leader without a gap', () =>
    withEtcd(async (runtime, etcd, { registry }) => {
      const session = await registry.openSession({ ttlMs: 60_000, owner: 'o' })
      const changes: RegistryChange[] = []
      const over = new AbortController()
      const watching = (async () => {
        for await (const change of registry.watch('', { signal: over.signal })) changes.push(change)
      })()
      await sleep(runtime.timers, 100)
      await registry.register(session, 'a', '1')
      etcd.process.kill()
      await sleep(runtime.timers, 100)
      etcd.process.restart()
      await sleep(runtime.timers, 3_000)
      await registry.register(session, 'b', '2')
      await sleep(runtime.timers, 1_000)
      over.abort()
      await watching
      const keys = changes.map((change) => (change.kind === 'put' ? change.entry.key : change.kind))
      expect(keys).toEqual(['snapshot', 'a', 'b'])
    }))

  it('RG-2, LE-5: say compacted when the place they go on from is gone', () =>
    withEtcd(async (_runtime, etcd, { registry }) => {
      const session = await registry.openSession({ ttlMs: 60_000, owner: 'o' })
      const fromRevision = (await registry.register(session, 'a', '1')) ?? 0n
      await registry.register(session, 'b', '2')
      etcd.compact()
      const { signal } = new AbortController()
      const kinds: string[] = []
      for await (const { kind } of registry.watch('', { signal, fromRevision })) kinds.push(kind)
      expect(kinds).toEqual(['compacted'])
    }))
})

describe('the cases turn red when', () => {
  const caseOf = <Case extends { readonly name: string }>(cases: readonly Case[], name: string) => {
    const found = cases.find((one) => one.name === name)
    if (found === undefined) throw new Error(`there is no case "${name}"`)
    return found
  }

  it('G-14: a lease outlives its time', async () => {
    const one = caseOf(
      leaseStoreConformance,
      'a lease that ran out cannot be renewed, even if nobody took the name',
    )
    const broken = (store: LeaseStore): LeaseStore => ({
      ...store,
      acquire: (asked) => store.acquire({ ...asked, ttlMs: 3_600_000 }),
    })
    await expect(runEngineCase(one, { ...leases, broken })).rejects.toThrow(CheckFailed)
  })

  it('G-14: a write looks at no version', async () => {
    const one = caseOf(
      recordStoreConformance,
      'only one of two writers that read the same version succeeds',
    )
    const broken = (store: RecordStore): RecordStore => ({
      ...store,
      put: (write) => store.put({ ...write, expected: 'any' }),
    })
    await expect(runEngineCase(one, { ...records, broken })).rejects.toThrow(CheckFailed)
  })

  it('G-14: a watch loses every third change', async () => {
    const one = caseOf(
      registryConformance,
      'a watch is a snapshot, then every change once, in order of revision',
    )
    const broken = (store: Registry): Registry => ({
      ...store,
      async *watch(prefix, options) {
        let count = 0
        for await (const change of store.watch(prefix, options)) {
          count += 1
          if (count % 3 !== 0) yield change
        }
      },
    })
    await expect(runEngineCase(one, { ...registry, broken })).rejects.toThrow(CheckFailed)
  })
})
