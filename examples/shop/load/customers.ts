/**
 * Customers of a trial: they order at a steady rate, follow every order to its end, and keep their own
 * account of what the shop must look like afterwards, to the piece and to the cent.
 */
import { type Item, priceCents, skus, users } from '../shared/catalog.ts'
import { chance } from './chance.ts'
import type { OrderStatus, ShopClient } from './shop-client.ts'

/** More than the shop will ever have: an order for it must end rejected. */
export const absurdQuantity = 9_000
export const absurdSku = 'sku-100'

export interface Placed {
  readonly orderId: string
  readonly userId: string
  readonly items: readonly Item[]
  readonly mustFail: boolean
  end?: OrderStatus
}

/** Orders being placed or followed at any time, at least. */
const underWayMin = 40

export interface Customers {
  readonly placed: readonly Placed[]
  unfinished(): readonly Placed[]
  /** Orders that were never accepted: time ran out. */
  lost(): number
  /** No new orders; resolves when all have ended or `endBy` has passed. */
  finish(endBy: number): Promise<void>
}

export function customers(
  client: ShopClient,
  { rate, seed, run }: { readonly rate: number; readonly seed: number; readonly run: string },
): Customers {
  const draw = chance(seed)
  const placed: Placed[] = []
  const under = new Set<Promise<void>>()
  let lost = 0
  let deadline = Number.POSITIVE_INFINITY
  let index = 0

  async function order(key: string): Promise<void> {
    // One in twenty asks for more than there is, one in twenty has no account: the latter fails when
    // its pieces are reserved already, so that they must be given back.
    const kind = draw.integer(20)
    const mustFail = kind < 2
    const userId = kind === 1 ? 'nobody' : draw.pick(users)
    const items =
      kind === 0
        ? [
            { sku: draw.pick(skus), quantity: 1 },
            { sku: absurdSku, quantity: absurdQuantity },
          ]
        : [{ sku: draw.pick(skus.slice(0, 99)), quantity: 1 + draw.integer(3) }]
    const orderId = await client.place(
      { userId, items },
      key,
      performance.now() + 180_000,
      () => {},
    )
    if (orderId === undefined) {
      lost += 1
      return
    }
    const entry: Placed = { orderId, userId, items, mustFail }
    placed.push(entry)
    while (entry.end === undefined && performance.now() < deadline) {
      const end = await client.untilEnded(orderId, Math.min(deadline, performance.now() + 30_000))
      if (end !== undefined) entry.end = end
    }
  }

  function come(): void {
    const work = order(`${run}-${index++}`).finally(() => under.delete(work))
    under.add(work)
  }
  // A fast shop would have nothing to lose at a kill: more customers come until enough are under way.
  const timer = setInterval(() => {
    const missing = underWayMin - under.size
    for (let extra = 0; extra < Math.max(1, missing); extra++) come()
  }, 1_000 / rate)

  return {
    placed,
    unfinished: () => placed.filter(({ end }) => end === undefined),
    lost: () => lost,
    async finish(endBy) {
      clearInterval(timer)
      deadline = endBy
      await Promise.all(under)
    },
  }
}

/** What is wrong with the shop after the trial, by the customers' own account. Empty: nothing. */
export async function audit(
  client: ShopClient,
  placed: readonly Placed[],
  before: { readonly balanceCents: number; readonly pieces: number },
): Promise<readonly string[]> {
  const problems: string[] = []
  const spent = new Map<string, number>(users.map((user) => [user, 0]))
  const bought = new Map<string, number>(skus.map((sku) => [sku, 0]))
  const ids = new Set<string>()
  for (const { orderId, userId, items, mustFail, end } of placed) {
    if (ids.has(orderId)) problems.push(`order id ${orderId} was given twice`)
    ids.add(orderId)
    if (end === undefined) problems.push(`order ${orderId} has not ended`)
    else if (mustFail !== (end.status === 'rejected')) {
      problems.push(`order ${orderId} ended ${end.status} (${end.reason ?? 'no reason'})`)
    }
    if (end?.status !== 'confirmed') continue
    for (const { sku, quantity } of items) {
      bought.set(sku, (bought.get(sku) ?? 0) + quantity)
      spent.set(userId, (spent.get(userId) ?? 0) + priceCents(sku) * quantity)
    }
  }
  for (const [sku, pieces] of bought) {
    const level = await client.read<Level>(`/api/inventory/${sku}`)
    const available = before.pieces - pieces
    const expected = JSON.stringify({ sku, available, reserved: 0, sold: pieces })
    if (JSON.stringify(level) !== expected) {
      problems.push(`${sku} is ${JSON.stringify(level)}; expected ${expected}`)
    }
  }
  for (const [userId, cents] of spent) {
    const account = await client.read<Account>(`/api/accounts/${userId}`)
    const expected = JSON.stringify({
      userId,
      balanceCents: before.balanceCents - cents,
      heldCents: 0,
    })
    if (JSON.stringify(account) !== expected) {
      problems.push(`${userId} has ${JSON.stringify(account)}; expected ${expected}`)
    }
  }
  return problems
}

interface Level {
  readonly sku: string
  readonly available: number
  readonly reserved: number
  readonly sold: number
}

interface Account {
  readonly userId: string
  readonly balanceCents: number
  readonly heldCents: number
}
