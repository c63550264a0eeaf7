/**
 * One instance of the inventory, wherever it runs.
 */
import type { HoldfastNode } from 'holdfast'
import { inventory } from '../shared/contracts.ts'
import { databaseOf } from '../shared/databases.ts'
import { type ShopContext, shopNode } from '../shared/shop-node.ts'
import { inventoryHandlers } from './service.ts'

export async function startInventory(
  context: ShopContext,
  handlersOf: typeof inventoryHandlers = inventoryHandlers,
): Promise<HoldfastNode> {
  const node = await shopNode(context)
  const database = await node.database(databaseOf('inventory', context.dataFolder))
  node.serve(inventory, handlersOf(database, context.environment))
  await node.start()
  return node
}
