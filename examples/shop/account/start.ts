/**
 * One instance of the accounts, wherever it runs.
 */
import type { HoldfastNode } from 'holdfast'
import { account } from '../shared/contracts.ts'
import { databaseOf } from '../shared/databases.ts'
import { type ShopContext, shopNode } from '../shared/shop-node.ts'
import { accountHandlers } from './service.ts'

export async function startAccount(
  context: ShopContext,
  handlersOf: typeof accountHandlers = accountHandlers,
): Promise<HoldfastNode> {
  const node = await shopNode(context)
  const database = await node.database(databaseOf('account', context.dataFolder))
  node.serve(account, handlersOf(database))
  await node.start()
  return node
}
