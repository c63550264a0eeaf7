/**
 * The shop's life: it leaves in good order with orders in flight, goes on where it was, and survives the
 * sudden death of its supervisor.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { isAlive, projectFolder, type RunningShop, shops, until } from './running-shop.ts'

const house = shops()
afterEach(house.close, 60_000)

const pieces = [{ sku: 'sku-003', quantity: 1 }]

/** Orders that keep coming; those whose answer was 202 are promises. */
function customers(shop: RunningShop): { readonly accepted: string[]; stop(): Promise<void> } {
  const accepted: string[] = []
  let open = true
  let next = 0
  const one = async (): Promise<void> => {
    while (open) {
      const headers = { 'idempotency-key': `c-${next++}` }
      const body = { userId: `u${1 + (next % 100)}`, items: pieces }
      const answer = await shop
        .post<{ orderId: string }>('/api/orders', body, headers)
        .catch(() => undefined)
      if (answer?.status === 202) accepted.push(answer.body.orderId)
      else await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const all = Array.from({ length: 10 }, one)
  return {
    accepted,
    async stop() {
      open = false
      await Promise.all(all)
    },
  }
}

/** Every accepted order ended, and the shelf agrees to the piece: none lost, none doubled. */
async function nothingIsLost(shop: RunningShop, accepted: readonly string[]): Promise<void> {
  const ends = await Promise.all(accepted.map((orderId) => shop.untilEnded(orderId)))
  expect(ends.filter(({ status }) => status !== 'confirmed')).toEqual([])
  const sold = await until('all to be sold', async () => {
    const { body } = await shop.get<{ sold: number; reserved: number }>('/api/inventory/sku-003')
    return body.reserved === 0 ? body.sold : undefined
  })
  // Beyond the promises there may be orders whose 202 was lost on the way; each has its own key.
  expect(sold).toBeGreaterThanOrEqual(new Set(accepted).size)
  expect((await shop.get('/api/invariants')).body).toMatchObject({ ok: true })
}

async function pidsOf(shop: RunningShop): Promise<readonly number[]> {
  return (await shop.processes()).flatMap(({ pid }) => pid ?? [])
}

it('SIGTERM with orders in flight: exit 0, nobody stays, and a restart loses nothing (QU-7)', async () => {
  const dataFolder = house.freshFolder()
  const first = await house.startShop({ dataFolder })
  const crowd = customers(first)
  await until('orders to be under way', () => (crowd.accepted.length > 60 ? true : undefined))
  const pids = await pidsOf(first)
  first.signal('SIGTERM')
  expect(await first.gone).toEqual({ code: 0, signal: null })
  expect(first.output()).not.toMatch(/did not leave in good order/)
  await crowd.stop()
  expect(pids.filter(isAlive)).toEqual([])

  const second = await house.startShop({ dataFolder })
  await nothingIsLost(second, crowd.accepted)
  // The old key still gives the old answer.
  const headers = { 'idempotency-key': 'c-0' }
  const { body } = await second.post<{ orderId: string }>(
    '/api/orders',
    { userId: 'u2', items: pieces },
    headers,
  )
  expect(crowd.accepted).toContain(body.orderId)
}, 120_000)

it('SIGKILL of the supervisor: its children leave by themselves, a second start works at once', async () => {
  const dataFolder = house.freshFolder()
  const first = await house.startShop({ dataFolder })
  const crowd = customers(first)
  await until('orders to be under way', () => (crowd.accepted.length > 60 ? true : undefined))
  const pids = await pidsOf(first)
  first.signal('SIGKILL')
  await first.gone
  await crowd.stop()

  const second = await house.startShop({ dataFolder })
  await nothingIsLost(second, crowd.accepted)
  await until('the old children to be gone', () => (pids.some(isAlive) ? undefined : true), 20_000)
}, 120_000)

it('SIGKILL of every process at once: nothing that was promised is lost', async () => {
  const dataFolder = house.freshFolder()
  const first = await house.startShop({ dataFolder })
  const crowd = customers(first)
  await until('orders to be under way', () => (crowd.accepted.length > 60 ? true : undefined))
  const pids = await pidsOf(first)
  first.signal('SIGKILL')
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await first.gone
  await crowd.stop()

  const second = await house.startShop({ dataFolder })
  await nothingIsLost(second, crowd.accepted)
}, 120_000)

it('G-14: with a planted bug the invariants turn red, over HTTP too', async () => {
  const environment = { HOLDFAST_SHOP_BUG: 'lost-compensation' }
  const shop = await house.startShop({ environment })
  const orderId = await shop.order('cannot-pay', pieces, 'nobody')
  expect(await shop.untilEnded(orderId)).toMatchObject({ status: 'rejected' })
  const red = await until('the audit to see it', async () => {
    const { body } = await shop.get<{ ok: boolean; checks: { name: string; ok: boolean }[] }>(
      '/api/invariants',
    )
    return body.ok ? undefined : body.checks.filter(({ ok }) => !ok).map(({ name }) => name)
  })
  expect(red).toEqual(['ended-orders-whole'])
}, 120_000)

it.each([
  ['node', ['scripts/start.mjs']],
  ['npm', ['start', '--']],
])(
  '%s %j: says where it is and where its data are, and SIGTERM ends all of it',
  async (...how) => {
    const [command, parameters] = how
    const flags = ['--port', '0', '--instances', 'order=1,inventory=1']
    const child = spawn(command, [...parameters, ...flags], {
      cwd: projectFolder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve))
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
    }
    try {
      const url = await until('the address', () => /is ready: (http:\S+)/.exec(text)?.[1], 110_000)
      expect(new URL(url).hostname).toBe('127.0.0.1')
      const [, dataFolder = ''] = /data in (\S+)/.exec(text) ?? []
      expect(readdirSync(dataFolder)).toContain('platform.db')
      expect((await fetch(new URL('/healthz', url))).status).toBe(200)
      const page = await fetch(url)
      expect([page.status, page.headers.get('content-type')]).toEqual([
        200,
        'text/html; charset=utf-8',
      ])
      const listed = (await (await fetch(new URL('/api/processes', url))).json()) as {
        instance: string
      }[]
      const names = listed.map(({ instance }) => instance).sort()
      expect(names).toEqual(['account-1', 'gateway-1', 'inventory-1', 'order-1', 'payment-1'])
      const family = [child.pid ?? 0, ...descendants(child.pid ?? 0)]
      expect(family.length).toBeGreaterThan(names.length)
      child.kill('SIGTERM')
      await gone
      await until('all to be gone', () => (family.some(isAlive) ? undefined : true), 20_000)
      expect(text).not.toMatch(/did not leave in good order/)
      // The shell that npm starts a script in does not wait for it.
      if (command === 'node') expect(child.exitCode).toBe(0)
      rmSync(dataFolder, { recursive: true, force: true })
    } finally {
      child.kill('SIGTERM')
      await gone
    }
  },
  180_000,
)

/** Processes whose parent is `pid`, and theirs. */
function descendants(pid: number): readonly number[] {
  const children = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => {
      try {
        const stat = readFileSync(join('/proc', entry, 'stat'), 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid
      } catch {
        return false
      }
    })
    .map(Number)
  return children.flatMap((child) => [child, ...descendants(child)])
}
