/**
 * The queue between the gateway, which accepts orders, and the order service, which carries them out.
 */
import type { HoldfastNode } from 'holdfast'
import type { Queue } from 'holdfast/messaging'
import { PlacedOrder } from './contracts.ts'
import type { ShopContext } from './shop-node.ts'

export function ordersQueue(
  { environment = {} }: ShopContext,
  node: HoldfastNode,
): Queue<PlacedOrder> {
  // So many orders may be under way; then customers are asked to come back. `SHOP_WAITING_MAX=5` tries it.
  const waitingMax = Number(environment.SHOP_WAITING_MAX ?? 10_000)
  return node.queue('orders', { schema: PlacedOrder, version: 1, lengthMax: waitingMax })
}
