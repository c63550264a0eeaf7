/**
 * What customers may ask of the shop, whatever door they come through: HTTP (`routes.ts`), or a call in
 * the simulator.
 */
import type { Queue } from 'holdfast/messaging'
import type { SqlDatabase } from 'holdfast/ports'
import type { OutputOf, RpcClient } from 'holdfast/services/rpc'
import type { Idempotency } from 'holdfast/transactions'
import type {
  account,
  inventory,
  OrderRequest,
  OrderView,
  order,
  PlacedOrder,
} from '../shared/contracts.ts'
import { accepted, entering, known } from './intake.ts'
import type { InvariantReport } from './invariants.ts'

export interface ShopApi {
  /**
   * Once per key: the same key gets the same answer.
   * @throws {KeyReusedError} the key came before with another order.
   * @throws {LimitExceededError} too many orders wait: come back later, with the same key.
   */
  place(asked: OrderRequest, key: string, signal?: AbortSignal): Promise<Placed>
  read(orderId: string): Promise<OrderView | null>
  level(sku: string): Promise<Level>
  balance(userId: string): Promise<Balance>
  /** Once per key; without one every request is a new one. */
  restock(delivery: { sku: string; quantity: number }, key?: string): Promise<NonNullable<Level>>
  /** As `restock`. */
  deposit(
    payment: { userId: string; amountCents: number },
    key?: string,
  ): Promise<NonNullable<Balance>>
  invariants(): Promise<InvariantReport>
}

export type Placed =
  | { readonly status: 'accepted'; readonly orderId: string }
  /** A request with this key is under way: ask again. */
  | { readonly status: 'in-progress' }

type Inventory = (typeof inventory)['procedures']
type Account = (typeof account)['procedures']
type Level = OutputOf<Inventory['level']>
type Balance = OutputOf<Account['balance']>

export interface ShopApiParts {
  readonly database: SqlDatabase
  readonly queue: Queue<PlacedOrder>
  readonly idempotency: Idempotency
  readonly order: RpcClient<(typeof order)['procedures']>
  readonly inventory: RpcClient<Inventory>
  readonly account: RpcClient<Account>
  wallMs(): number
  /** Unique without coordination, at most 100 characters. */
  newId(): string
  /** Equal for equal texts and for no others, at least 32 characters of `a-z`, `0-9`. */
  hash(text: string): string
  invariants(): Promise<InvariantReport>
}

export function shopApi(parts: ShopApiParts): ShopApi {
  const { database, inventory, account, hash, newId } = parts
  const requestId = (key: string | undefined): string =>
    key === undefined ? newId() : hash(key).slice(0, 32)
  return {
    place: (asked, key, signal) => place(parts, asked, key, signal),
    async read(orderId) {
      const view = await parts.order.read({ orderId })
      if (view !== null) return view
      const { results } = await database.run({ mode: 'read', statements: [known(orderId)] })
      // Accepted, but no instance of the order service has taken it up yet.
      return results[0]?.rows.length ? { orderId, status: 'pending', steps: [] } : null
    },
    level: (sku) => inventory.level({ sku }),
    balance: (userId) => account.balance({ userId }),
    restock: (delivery, key) => inventory.restock({ ...delivery, requestId: requestId(key) }),
    deposit: (payment, key) => account.deposit({ ...payment, requestId: requestId(key) }),
    invariants: parts.invariants,
  }
}

/**
 * Accepting an order is one promise, made once per key: it stands in the intake, then durably in the
 * queue, and only then in the answer. The order's id follows from the key, so an attempt that was cut
 * short anywhere is finished by the next one and never makes a second order.
 */
async function place(
  { database, queue, idempotency, wallMs, hash }: ShopApiParts,
  asked: OrderRequest,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Placed> {
  const orderId = `o-${hash(key).slice(0, 24)}`
  const once = {
    operation: 'POST /api/orders',
    fingerprint: hash(JSON.stringify(asked)),
    waitMs: 5_000,
    ...(signal ? { signal } : {}),
  }
  const answer = await idempotency.run(key, once, async () => {
    await database.run({ statements: [entering(orderId, wallMs())] })
    await queue.send({ ...asked, orderId }, { id: orderId })
    await database.run({ statements: [accepted(orderId, wallMs())] })
    return { orderId }
  })
  if (answer.status === 'in-progress') return { status: 'in-progress' }
  return { status: 'accepted', orderId: answer.response.orderId }
}
