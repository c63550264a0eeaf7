/**
 * The queue between the gateway, which accepts orders, and the order service, which carries them out.
 */
import type { HoldfastNode } from 'holdfast'
import type { Queue } from 'holdfast/messaging'
import { PlacedOrder } from './contracts.ts'

/** So many orders may be under way; then customers are asked to come back. `SHOP_WAITING_MAX=5` tries it. */
const waitingMax = Number(process.env.SHOP_WAITING_MAX ?? 10_000)

export function ordersQueue(node: HoldfastNode): Queue<PlacedOrder> {
  return node.queue('orders', { schema: PlacedOrder, version: 1, lengthMax: waitingMax })
}
