import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
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
type Secret = { readonly secret?: string }
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
  running = await startAll({ secret })
  await running.leader()
})
afterAll(async () => {
  await running.close()
  await runtime.close()
})

async function startAll(secret: Secret): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-cluster-'))
  const ports = await Promise.all(ids.map(freePort))
  const peers = Object.fromEntries(ids.map((id, index) => [id, `127.0.0.1:${ports[index]}`]))
  const members = new Map<string, ClusterMember>()
  async function start(id: string): Promise<void> {
    const listen = peers[id] ?? ''
    const options = { id, listen, peers, folder: join(folder, id), electionMs: 500, ...secret }
    members.set(id, await clusterMember(runtime, options))
  }
  await Promise.all(ids.map(start))
  return {
    members,
    addresses: Object.values(peers),
    start,
    stores: (on, namespace) =>
      clusterStores(on, { members: Object.values(peers), namespace, ...secret }),
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

  it('talk without a secret on loopback, and only there', async () => {
    const open = await startAll({})
    const { records, close } = open.stores(runtime, 'open')
    expect(await records.increment('s', 'n', 1n)).toBe(1n)
    await close()
    await open.close()
    const elsewhere = { members: ['192.0.2.1:4100'], namespace: 'x' }
    expect(() => clusterStores(runtime, elsewhere)).toThrow(ConfigurationError)
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

const child = fileURLToPath(new URL('cluster.live-child.mjs', import.meta.url))

interface Living {
  readonly process: ChildProcess
  /** Its last word about itself: `leader 3`. */
  said: string
}

describe('three real processes', () => {
  it('LK-2, LK-5, RF-1, RF-9: count on while leaders are killed and stopped, and lose nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-cluster-'))
    const ports = await Promise.all(ids.map(freePort))
    const peers = Object.fromEntries(ids.map((id, index) => [id, `127.0.0.1:${ports[index]}`]))
    const living = new Map<string, Living>()
    function start(id: string): void {
      const words = [child, id, join(folder, id), JSON.stringify(peers)]
      const process = spawn(globalThis.process.execPath, words, {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const one: Living = { process, said: '' }
      process.stdout?.on('data', (chunk: Buffer) => {
        one.said = chunk.toString().trim().split('\n').at(-1) ?? ''
      })
      living.set(id, one)
    }
    async function leader(): Promise<[string, Living]> {
      for (;;) {
        for (const entry of living) if (entry[1].said.startsWith('leader')) return entry
        await sleep(runtime.timers, 20)
      }
    }
    for (const id of ids) start(id)
    const members = Object.values(peers)
    const { records, leases, close } = clusterStores(runtime, { members, namespace: 'killed' })
    const held = await leases.acquire({ name: 'n', ttlMs: 60_000, attemptId: 'a' })
    let sum = 0n
    let stop = false
    const counting = (async () => {
      while (!stop) {
        await records.increment('s', 'n', 1n)
        sum += 1n
      }
    })()
    try {
      for (let round = 0; round < 4; round += 1) {
        const [id, { process }] = await leader()
        if (round % 2 === 0) {
          process.kill('SIGKILL')
          await once(process, 'exit')
          living.delete(id)
          await leader()
          start(id)
        } else {
          living.delete(id)
          process.kill('SIGSTOP')
          await leader()
          process.kill('SIGCONT')
          living.set(id, { process, said: '' })
          process.stdout?.on('data', (chunk: Buffer) => {
            const one = living.get(id)
            if (one?.process === process)
              one.said = chunk.toString().trim().split('\n').at(-1) ?? ''
          })
        }
        const before = sum
        while (sum < before + 20n) await sleep(runtime.timers, 20)
      }
      stop = true
      await counting
      expect(await records.increment('s', 'n', 0n)).toBe(sum)
      expect(held && (await leases.renew(held, 60_000)).token).toBe(held?.token)
    } finally {
      stop = true
      await close()
      for (const { process } of living.values()) process.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    }
  })
})
