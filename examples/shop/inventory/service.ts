/**
 * The inventory's procedures. Each may come late, twice, or after its own undoing, and answers the same.
 */
import type { SqlDatabase } from 'holdfast/ports'
import type { Handlers } from 'holdfast/services/rpc'
import { effectOnce, participant } from 'holdfast/transactions'
import type { Decision, inventory } from '../shared/contracts.ts'
import { planted } from '../shared/planted-bug.ts'
import type { ShopContext } from '../shared/shop-node.ts'
import { level, release, reserve, restock, sell } from './stock.ts'

const done: Decision = { decision: 'done' }

export function inventoryHandlers(
  database: SqlDatabase,
  environment: ShopContext['environment'] = {},
): Handlers<(typeof inventory)['procedures']> {
  const orders = participant(database, { scope: 'reserve' })

  async function read(sku: string) {
    const { results } = await database.run({ mode: 'read', statements: [level(sku)] })
    const row = results[0]?.rows[0]
    if (row === undefined) return null
    const { available, reserved, sold } = row
    return { sku, available: Number(available), reserved: Number(reserved), sold: Number(sold) }
  }

  return {
    async reserve({ orderId, items }) {
      const { status } = await orders.apply(orderId, reserve(orderId, items))
      if (status === 'applied') return done
      return { decision: 'refused', reason: status === 'refused' ? 'out-of-stock' : 'released' }
    },
    async release({ orderId }) {
      if (!planted('lost-compensation', environment)) await orders.undo(orderId, release(orderId))
      return done
    },
    async sell({ orderId }) {
      await effectOnce(database, { scope: 'sell', id: orderId }, sell(orderId))
      return done
    },
    level: ({ sku }) => read(sku),
    async restock({ requestId, sku, quantity }) {
      await effectOnce(database, { scope: 'restock', id: requestId }, restock(sku, quantity))
      const now = await read(sku)
      if (now === null) throw new Error(`${sku} vanished after it was stocked`)
      return now
    },
  }
}
