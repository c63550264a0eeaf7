/**
 * One instance of the inventory.
 */
import { serviceProcess } from 'holdfast/cli'
import { inventory } from '../shared/contracts.ts'
import { databaseOf } from '../shared/databases.ts'
import { shopNode } from '../shared/shop-node.ts'
import { inventoryHandlers } from './service.ts'

await serviceProcess(async (context) => {
  const node = await shopNode(context)
  const database = await node.database(databaseOf('inventory', context.dataFolder))
  node.serve(inventory, inventoryHandlers(database))
  await node.start()
  return {}
})
