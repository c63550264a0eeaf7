/**
 * One instance of the payment service, wherever it runs.
 */
import type { HoldfastNode } from 'holdfast'
import { account, payment } from '../shared/contracts.ts'
import { databaseOf } from '../shared/databases.ts'
import { callOptions, type ShopContext, shopNode } from '../shared/shop-node.ts'
import { paymentHandlers } from './service.ts'

export async function startPayment(context: ShopContext): Promise<HoldfastNode> {
  const node = await shopNode(context)
  const database = await node.database(databaseOf('payment', context.dataFolder))
  node.serve(payment, paymentHandlers(database, node.client(account, callOptions)))
  await node.start()
  return node
}
