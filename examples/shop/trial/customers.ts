/**
 * Customers, and their own account of what they ordered. Each retries under the same key until he has
 * an answer, sometimes asks twice at once, and then waits for the end of what was accepted. What must
 * come out is known beforehand: most orders can be carried out; one for more than there ever was, or by
 * somebody who has fifty cents, cannot; and of one article there are five pieces, which go to whoever is
 * first.
 */
import { outcomeOf } from 'holdfast/errors'
import { type Runtime, sleep } from 'holdfast/runtime'
import type { World } from 'holdfast/testing'
import { type Item, skus } from '../shared/catalog.ts'
import type { OrderRequest } from '../shared/contracts.ts'
import type { Front } from './front.ts'

export interface CustomerOrder {
  readonly key: string
  readonly asked: OrderRequest
  readonly expected: 'confirmed' | 'rejected' | 'either'
  orderId?: string
  /** As the shop showed it in the end. */
  outcome?: 'confirmed' | 'rejected'
  /** Of the saga's steps as they were shown at the end, the names. */
  steps?: readonly string[]
}

/** What the customers say was done; the judge compares. Lives outside the world: no crash takes it. */
export interface Account {
  readonly orders: CustomerOrder[]
  readonly restocked: Map<string, number>
  readonly deposited: Map<string, number>
}

export interface CustomerOptions {
  readonly name: string
  readonly orders: number
  /** Orders are spread over so long. */
  readonly spreadMs: number
}

const poorCents = 50
const scarce = 'scarce'

export async function customer(
  world: World,
  runtime: Runtime,
  front: Front,
  account: Account,
  options: CustomerOptions,
): Promise<void> {
  const { name, orders, spreadMs } = options
  const draw = (below: number): number => Math.floor(runtime.random.fraction('customer') * below)
  const poor = `poor-${name}`
  const extra = `extra-${name}`

  /** Asks until there is an answer. */
  async function insist<Answer>(what: string, ask: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (outcomeOf(error) === 'invalid') world.fail('customer turned away', `${what}: ${error}`)
        world.reached('a customer asked again')
      }
      await sleep(runtime.timers, 100 + draw(900))
    }
  }

  async function place({ key, asked }: CustomerOrder): Promise<string> {
    for (;;) {
      const answer = await insist(`order ${key}`, () => front.place({ asked, key }))
      if (answer.status === 'accepted') return answer.orderId
      await sleep(runtime.timers, 200)
    }
  }

  async function order(index: number): Promise<void> {
    await sleep(runtime.timers, draw(spreadMs))
    const wish = wishOf(name, poor, draw)
    const placed: CustomerOrder = { key: `${name}-${index}`, ...wish }
    account.orders.push(placed)
    const ids = await Promise.all(draw(4) === 0 ? [place(placed), place(placed)] : [place(placed)])
    placed.orderId = ids[0] ?? ''
    if (ids.some((id) => id !== placed.orderId)) {
      world.fail('two orders for one key', `${placed.key}: ${ids.join(', ')}`)
    }
    await ended(placed)
    world.reached(`${placed.outcome}, expected ${placed.expected}`)
  }

  async function ended(placed: CustomerOrder): Promise<void> {
    const { orderId = '', key, expected } = placed
    for (;;) {
      const view = await insist(`read ${key}`, () => front.read({ orderId }))
      if (view === null) return world.fail('accepted, yet unknown', `${key} is ${orderId}`)
      if (view.status !== 'pending') {
        placed.steps = view.steps.map(({ name: step }) => step)
        placed.outcome = view.status
        if (expected === 'either' || view.status === expected) return
        return world.fail('ended otherwise', `${key} is ${view.status}, ${view.reason ?? ''}`)
      }
      await sleep(runtime.timers, 1_000)
    }
  }

  account.restocked.set(extra, 5)
  account.restocked.set(scarce, 5)
  account.deposited.set(poor, poorCents)
  await insist('restock', () => front.restock({ sku: extra, quantity: 5, key: extra }))
  // All customers bring the same five pieces, under one key: they are there once.
  await insist('scarce', () => front.restock({ sku: scarce, quantity: 5, key: scarce }))
  await insist('deposit', () => front.deposit({ userId: poor, amountCents: poorCents, key: poor }))
  await Promise.all(Array.from({ length: orders }, (_, index) => order(index)))
}

function wishOf(
  name: string,
  poor: string,
  draw: (below: number) => number,
): Pick<CustomerOrder, 'asked' | 'expected'> {
  const some = (): Item => ({ sku: skus[draw(10)] ?? 'sku-001', quantity: 1 + draw(5) })
  const items = Array.from({ length: 1 + draw(3) }, some)
  switch (draw(6)) {
    case 0:
      return { asked: { userId: poor, items }, expected: 'rejected' }
    case 1: {
      // The first articles could be had, the last never: all or nothing.
      const absurd = { sku: 'sku-001', quantity: 9_999 }
      return { asked: { userId: name, items: [...items, absurd] }, expected: 'rejected' }
    }
    case 2:
      return {
        asked: { userId: name, items: [...items, { sku: scarce, quantity: 2 }] },
        expected: 'either',
      }
    default:
      return { asked: { userId: name, items }, expected: 'confirmed' }
  }
}
