/**
 * The shop with its leases and its registry in a cluster of its own, whose leader is killed while orders come
 * in: nobody asks for less because of it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { clusterOperator, clusterStores } from '../../src/drivers/cluster/index.ts'
import { nodeRuntime } from '../../src/runtime/node/index.ts'
import { raftLeader } from './raft-view.ts'
import { type RunningShop, shopPlan, shops, until } from './running-shop.ts'

const house = shops()
afterEach(house.close, 60_000)

const pieces = [{ sku: 'sku-004', quantity: 1 }]

/** One order after the other by a few customers. */
function customers(shop: RunningShop): { readonly accepted: string[]; stop(): Promise<void> } {
  const accepted: string[] = []
  let open = true
  let next = 0
  const one = async (): Promise<void> => {
    while (open) {
      accepted.push(await shop.order(`k-${next++}`, pieces, `u${1 + (next % 100)}`))
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const all = [one(), one(), one()]
  return {
    accepted,
    async stop() {
      open = false
      await Promise.all(all)
    },
  }
}

/** @returns the leader that came after it. */
async function killLeader(shop: RunningShop): Promise<{ id: string; term: number }> {
  const old = await until('a leader', () => raftLeader(shop))
  await shop.post(`/api/processes/${old.id}/kill`, { signal: 'SIGKILL' })
  return until('the next leader', async () => {
    const now = await raftLeader(shop)
    return now !== undefined && now.term > old.term ? now : undefined
  })
}

it('RF-2, RG-6: the leader is killed twice while orders flow: all of them end, the invariants hold', async () => {
  const flags = ['--leases', 'cluster', '--registry', 'cluster']
  const instances = ['--instances', 'order=2,inventory=1']
  const shop = await house.startShop({ flags: [...flags, ...instances] })
  const crowd = customers(shop)
  for (const so of ['first', 'second']) {
    const before = crowd.accepted.length
    await until(`orders before the ${so} kill`, () =>
      crowd.accepted.length > before + 5 ? true : undefined,
    )
    await killLeader(shop)
  }
  const before = crowd.accepted.length
  await until('orders after it', () => (crowd.accepted.length > before + 5 ? true : undefined))
  await crowd.stop()
  const ends = await Promise.all(crowd.accepted.map((orderId) => shop.untilEnded(orderId)))
  expect(ends.filter(({ status }) => status !== 'confirmed')).toEqual([])
  expect((await shop.get('/api/invariants')).body).toMatchObject({ ok: true })
  const members = (await shop.processes()).filter(({ service }) => service === 'cluster')
  expect(members.reduce((sum, { restarts }) => sum + restarts, 0)).toBeGreaterThanOrEqual(2)
  await reallyThere(shop)
}, 120_000)

/** The shop's names are in the cluster, not in its file. */
async function reallyThere({ dataFolder }: RunningShop): Promise<void> {
  const plan = JSON.parse(readFileSync(join(dataFolder, 'cluster/plan.json'), 'utf8'))
  const options = { members: Object.values<string>(plan.members), secret: String(plan.secret) }
  const runtime = nodeRuntime()
  const stores = clusterStores(runtime, { ...options, namespace: 'shop' })
  const operator = clusterOperator(runtime, options)
  try {
    await until('every service to be in the registry', async () => {
      const { entries } = await stores.registry.list('service/')
      const names = new Set(entries.map(({ key }) => key.split('/')[1]))
      return names.size === 4 ? true : undefined
    })
    expect((await stores.leases.list('', { limit: 10 })).map(({ name }) => name)).toEqual([
      expect.stringMatching(/order-watchman$/),
    ])
    const roles = (await operator.status()).map(({ report }) => report?.raft.role)
    expect(roles.filter((role) => role === 'leader')).toEqual(['leader'])
    expect(roles).not.toContain(undefined)
  } finally {
    await stores.close()
    await operator.close()
    await runtime.close()
  }
}

it('a driver that the plan does not offer is refused before anything starts', async () => {
  const dataFolder = house.freshFolder()
  const { gone, output } = house.startUp({
    plan: shopPlan,
    dataFolder,
    flags: ['--leases', 'redis'],
  })
  expect(await gone).toMatchObject({ code: 3 })
  expect(output()).toMatch(/--leases is "redis"; plan "shop" offers embedded, cluster/)
  expect(existsSync(join(dataFolder, 'cluster'))).toBe(false)
}, 30_000)
