import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../errors.ts'
import type { ConformanceCase } from '../../ports/conformance.ts'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import { mortalRuntime } from '../../ports/mortal-runtime.ts'
import { recordStoreConformance } from '../../ports/record-store.conformance.ts'
import { registryConformance } from '../../ports/registry.conformance.ts'
import { type NodeRuntime, nodeRuntime } from '../../runtime/node/index.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { titleOf } from '../../testing/engines/engine-trial.ts'
import { type ClusterMember, type ClusterStores, clusterMember, clusterStores } from './index.ts'

const secret = 'a secret of some length, for tests only'
const ids = ['one', 'two', 'three'] as const

interface Running {
  readonly members: Map<string, ClusterMember>
  readonly addresses: readonly string[]
  start(id: string): Promise<void>
  stores(on: Runtime, namespace: string): ClusterStores
  leader(): Promise<string>
  close(): Promise<void>
}

let running: Running
let runtime: NodeRuntime

beforeAll(async () => {
  runtime = nodeRuntime()
  running = await startAll()
  await running.leader()
})
afterAll(async () => {
  await running.close()
  await runtime.close()
})

async function startAll(): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-cluster-'))
  const ports = await Promise.all(ids.map(freePort))
  const peers = Object.fromEntries(ids.map((id, index) => [id, `127.0.0.1:${ports[index]}`]))
  const members = new Map<string, ClusterMember>()
  async function start(id: string): Promise<void> {
    const listen = peers[id] ?? ''
    const options = { id, listen, peers, folder: join(folder, id), secret, electionMs: 500 }
    members.set(id, await clusterMember(runtime, options))
  }
  await Promise.all(ids.map(start))
  return {
    members,
    addresses: Object.values(peers),
    start,
    stores: (on, namespace) =>
      clusterStores(on, { members: Object.values(peers), secret, namespace }),
    async leader() {
      for (;;) {
        for (const [id, member] of members) if (member.status().role === 'leader') return id
        await sleep(runtime.timers, 20)
      }
    },
    async close() {
      await Promise.all([...members.values()].map((member) => member.close()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

async function runCase<Store>(
  one: ConformanceCase<Store>,
  pick: (stores: ClusterStores) => Store,
): Promise<string | undefined> {
  const opened: ClusterStores[] = []
  const namespace = runtime.random.id('trial').slice(0, 12)
  function open(on: Runtime): Store {
    const stores = running.stores(on, namespace)
    if (on === runtime) opened.push(stores)
    return pick(stores)
  }
  let names = 0
  const store = open(runtime)
  const skipped = one.skip?.(store)
  if (skipped !== undefined) return skipped
  try {
    await one.run({
      store,
      runtime,
      another: async () => open(runtime),
      async mortal() {
        const mortal = mortalRuntime(runtime)
        return { store: open(mortal.runtime), die: mortal.die }
      },
      passMs: (durationMs) => sleep(runtime.timers, durationMs),
      unique(label) {
        names += 1
        return `${label}-${names}`
      },
    })
  } finally {
    await Promise.all(opened.map((stores) => stores.close()))
  }
  return undefined
}

function conforms<Store>(
  title: string,
  cases: readonly ConformanceCase<Store>[],
  pick: (stores: ClusterStores) => Store,
): void {
  describe(`three real members, sealed: ${title}`, () => {
    for (const one of cases) {
      it(titleOf(one), async ({ skip }) => {
        const reason = await runCase(one, pick)
        if (reason !== undefined) skip(reason)
      })
    }
  })
}

conforms('leases', leaseStoreConformance, ({ leases }) => leases)
conforms('registry', registryConformance, ({ registry }) => registry)
conforms('records', recordStoreConformance, ({ records }) => records)

describe('three real members', () => {
  it('LK-2, G-1: count on over restarts of each of them, nothing lost and nothing twice', async () => {
    const { records, leases, close } = running.stores(runtime, 'restarts')
    const held = await leases.acquire({ name: 'n', ttlMs: 60_000, attemptId: 'a' })
    let sum = 0n
    let stop = false
    const counting = (async () => {
      while (!stop) {
        await records.increment('s', 'n', 1n)
        sum += 1n
      }
    })()
    for (let round = 0; round < 3; round += 1) {
      const id = await running.leader()
      await running.members.get(id)?.close()
      running.members.delete(id)
      await running.leader()
      await sleep(runtime.timers, 300)
      await running.start(id)
    }
    stop = true
    await counting
    expect(sum).toBeGreaterThan(10n)
    expect(await records.increment('s', 'n', 0n)).toBe(sum)
    expect(held && (await leases.renew(held, 60_000)).token).toBe(held?.token)
    await close()
  })

  it('refuse a client with another secret', async () => {
    const stranger = clusterStores(runtime, {
      members: running.addresses,
      secret: 'another secret of some length, for tests',
      namespace: 'x',
      callTimeoutMs: 1_000,
    })
    await expect(stranger.records.get('s', 'k')).rejects.toThrow(ConfigurationError)
    await stranger.close()
  })
})
