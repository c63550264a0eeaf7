/**
 * A rolling deploy with orders in flight (SG-7): the order service goes from version 1 of its saga to
 * version 2, which has a step more, instance by instance. Here the test is the deployer: it starts and
 * stops the instances of the order service itself, each with the version it is to have.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { embeddedDatabase } from 'holdfast/drivers/embedded'
import { nodeRuntime } from 'holdfast/runtime/node'
import { afterEach, expect, it } from 'vitest'
import { databaseOf } from '../../examples/shop/shared/databases.ts'
import { projectFolder, type RunningShop, shops, until } from './running-shop.ts'

const house = shops()
const instances = new Set<OrderInstance>()
afterEach(async () => {
  for (const instance of instances) await instance.end('SIGKILL')
  await house.close()
}, 60_000)

const pieces = [{ sku: 'sku-005', quantity: 1 }]

interface Sagas {
  readonly running: readonly {
    readonly id: string
    readonly version: number
    readonly steps: readonly { readonly name: string; readonly status: string }[]
  }[]
  readonly unclaimable: Readonly<Record<string, number>>
}

interface OrderInstance {
  /** What it publishes about its sagas now. */
  sagas(): Promise<Sagas>
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
}

/** The shop without its order service. */
function planWithoutOrders(folder: string): string {
  const entry = (service: string): string =>
    relative(folder, join(projectFolder, `build/shop/${service}/main.js`))
  const services = ['inventory', 'account', 'payment', 'gateway'].map((name) => {
    return { name, entry: entry(name), instances: 1 }
  })
  const file = join(folder, 'plan.mjs')
  const plan = { name: 'shop', services, front: 'gateway' }
  writeFileSync(file, `export const plan = ${JSON.stringify(plan)}\n`)
  return file
}

async function orderInstance(
  dataFolder: string,
  name: string,
  version: 1 | 2,
): Promise<OrderInstance> {
  const child: ChildProcess = fork(join(projectFolder, 'build/shop/order/main.js'), {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: {
      ...process.env,
      HOLDFAST_INSTANCE: name,
      HOLDFAST_SERVICE: 'order',
      HOLDFAST_DATA: dataFolder,
      SHOP_ORDER_VERSION: String(version),
    },
  })
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let latest: Sagas | undefined
  let ready = false
  child.on('message', (message: { type: string; sections?: { sagas: Sagas } }) => {
    if (message.type === 'ready') ready = true
    latest = message.sections?.sagas
  })
  const instance: OrderInstance = {
    async sagas() {
      latest = undefined
      child.send({ type: 'snapshot', request: 1 })
      return until(`${name} to answer`, () => latest)
    },
    end(signal) {
      instances.delete(instance)
      child.kill(signal)
      return gone
    },
  }
  instances.add(instance)
  await until(`${name} to be ready`, () => {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`)
    return ready ? true : undefined
  })
  return instance
}

const signalPayment = (shop: RunningShop, signal: string) =>
  shop.post('/api/processes/payment-1/kill', { signal })

it('SG-7, G-10: from version 1 to 2 with orders in flight: none lost, doubled, stuck or mixed up', async () => {
  const folder = house.freshFolder()
  const shop = await house.startShop({ dataFolder: folder, plan: planWithoutOrders(folder) })
  const accepted: string[] = []
  const customers = async (count: number): Promise<void> => {
    const keys = Array.from({ length: count }, (_, index) => `r-${accepted.length + index}`)
    accepted.push(...(await Promise.all(keys.map((key) => shop.order(key, pieces)))))
  }
  // While payment is paused every order stops half way.
  await signalPayment(shop, 'SIGSTOP')
  const oldFirst = await orderInstance(folder, 'order-1', 1)
  const oldSecond = await orderInstance(folder, 'order-2', 1)
  // More than one instance takes at a time, so that both have some.
  await customers(50)
  await until('orders of version 1 under way', async () => {
    const [first, second] = [await oldFirst.sagas(), await oldSecond.sagas()]
    return first.running.length > 3 && second.running.length > 3 ? true : undefined
  })

  // The first instance is replaced; its orders go on, wherever version 1 is known.
  expect(await oldFirst.end('SIGTERM')).toBe(0)
  const newFirst = await orderInstance(folder, 'order-1', 2)
  await customers(20)
  const ofVersion2 = await until('orders of version 2 under way', async () => {
    const { running } = await newFirst.sagas()
    const newer = running.filter(({ version }) => version === 2)
    return newer.length > 3 ? newer.map(({ id }) => id) : undefined
  })

  // Version 2 dies; who knows only version 1 must see its orders, count them, and not touch them.
  await newFirst.end('SIGKILL')
  const lonely = await until('orders of version 2 to be passed over', async () => {
    const { running, unclaimable } = await oldSecond.sagas()
    expect(running.filter(({ version }) => version !== 1)).toEqual([])
    return (unclaimable['place-order@2'] ?? 0) > 0 ? unclaimable : undefined
  })
  expect(Object.keys(lonely)).toEqual(['place-order@2'])
  await signalPayment(shop, 'SIGCONT')
  const isOpen = async (orderId: string): Promise<boolean> =>
    (await shop.get<{ status: string }>(`/api/orders/${orderId}`)).body.status === 'pending'
  await until('orders of version 1 to end', async () => {
    for (const id of accepted.filter((each) => !ofVersion2.includes(each))) {
      const { body } = await shop.get<{ steps: unknown[] }>(`/api/orders/${id}`)
      if (body.steps.length === 7 && (await isOpen(id))) return undefined
    }
    return true
  })
  for (const id of ofVersion2) expect(await isOpen(id), id).toBe(true)

  // Version 2 comes back, then the last old instance goes.
  await orderInstance(folder, 'order-1', 2)
  expect(await oldSecond.end('SIGTERM')).toBe(0)
  await orderInstance(folder, 'order-2', 2)
  await customers(10)

  const ends = await Promise.all(accepted.map((id) => shop.untilEnded(id)))
  expect(ends.filter(({ status }) => status !== 'confirmed')).toEqual([])
  const stepsOf = new Map(ends.map(({ orderId, steps }) => [orderId, steps.map((s) => s.name)]))
  const version1 = ['open', 'reserve', 'authorize', 'commit', 'capture', 'sell', 'confirm']
  const version2 = [...version1.slice(0, -1), 'receipt', 'confirm']
  for (const id of accepted.slice(0, 50)) expect(stepsOf.get(id)).toEqual(version1)
  for (const id of [...ofVersion2, ...accepted.slice(-10)]) {
    expect(stepsOf.get(id)).toEqual(version2)
  }

  const newer = [...stepsOf].filter(([, steps]) => steps.includes('receipt')).map(([id]) => id)
  expect(await receipts(folder)).toEqual(newer.sort())
  const { body } = await shop.get('/api/inventory/sku-005')
  expect(body).toEqual({
    sku: 'sku-005',
    available: 1_000 - accepted.length,
    reserved: 0,
    sold: accepted.length,
  })
  expect((await shop.get('/api/invariants')).body).toMatchObject({ ok: true })
}, 180_000)

async function receipts(dataFolder: string): Promise<readonly string[]> {
  const runtime = nodeRuntime({ process: 'auditor' })
  const database = await embeddedDatabase(runtime, databaseOf('order', dataFolder))
  const sql = 'SELECT order_id FROM receipt ORDER BY order_id'
  const { results } = await database.run({ mode: 'read', statements: [{ sql }] })
  await database.close()
  await runtime.close()
  return (results[0]?.rows ?? []).map((row) => String(row.order_id))
}
