/**
 * Five bugs that shops have had, each put in place of the part that is right. The judges must find them.
 */
import { type Runtime, sleep } from 'holdfast/runtime'
import { capture } from '../account/ledger.ts'
import { accountHandlers } from '../account/service.ts'
import { shopApi } from '../gateway/shop-api.ts'
import { inventoryHandlers } from '../inventory/service.ts'
import { release, reserve } from '../inventory/stock.ts'
import type { Decision } from '../shared/contracts.ts'
import type { ShopVariant } from './scenario.ts'

const done: Decision = { decision: 'done' }

export interface Planted extends ShopVariant {
  /** The verdict of whoever notices. */
  readonly verdict: RegExp
}

export const planted: Readonly<Record<string, Planted>> = {
  'what was reserved is not given back': {
    verdict: /ended-orders-whole/,
    environment: { HOLDFAST_SHOP_BUG: 'lost-compensation' },
  },

  'a reservation that comes after its release is accepted': {
    verdict: /ended-orders-whole|customers say otherwise/,
    inventory: () => (database, environment) => ({
      ...inventoryHandlers(database, environment),
      async reserve({ orderId, items }) {
        const sql = `DELETE FROM reservation WHERE order_id = ?1 AND state = 'released'`
        const held = `SELECT 1 FROM reservation WHERE order_id = ?1`
        const { results } = await database.run({
          statements: [
            { sql, parameters: [orderId] },
            { sql: held, parameters: [orderId] },
          ],
        })
        if (results[1]?.rows.length) return done
        const { refusedAt } = await database.run({ statements: reserve(orderId, items) })
        return refusedAt === undefined ? done : { decision: 'refused', reason: 'out-of-stock' }
      },
      async release({ orderId }) {
        await database.run({ statements: release(orderId) })
        return done
      },
    }),
  },

  'an order is accepted before the queue has it': {
    verdict: /no-progress/,
    api: (runtime) => (parts) => {
      const { queue } = parts
      const send: typeof queue.send = async (placed, options) => {
        void sendSoon(runtime, () => queue.send(placed, options))
        return { id: placed.orderId, first: true } as never
      }
      return shopApi({ ...parts, queue: { ...queue, send } })
    },
  },

  'the id of an order does not follow from its key': {
    verdict: /customers say otherwise|two orders for one key/,
    api: () => (parts) =>
      shopApi({
        ...parts,
        hash: (text) => (text.startsWith('{') ? parts.hash(text) : parts.newId()),
      }),
  },

  'money is captured as often as it is asked for': {
    verdict: /money-conserved/,
    account: () => (database) => ({
      ...accountHandlers(database),
      async capture({ orderId }) {
        const again = `UPDATE account SET balance_cents = balance_cents - hold.amount_cents
                       FROM hold WHERE order_id = ?1 AND state = 'captured'
                         AND account.user_id = hold.user_id`
        await database.run({
          statements: [{ sql: again, parameters: [orderId] }, ...capture(orderId)],
        })
        return done
      },
    }),
  },
}

/** In batches, which is faster. */
async function sendSoon(runtime: Runtime, send: () => Promise<unknown>): Promise<void> {
  await sleep(runtime.timers, 5_000)
  await send().catch(() => {})
}
