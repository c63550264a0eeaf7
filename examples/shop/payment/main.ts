/**
 * One instance of the payment service.
 */
import { serviceProcess } from 'holdfast/cli'
import { account, payment } from '../shared/contracts.ts'
import { databaseOf } from '../shared/databases.ts'
import { callOptions, shopNode } from '../shared/shop-node.ts'
import { paymentHandlers } from './service.ts'

await serviceProcess(async (context) => {
  const node = await shopNode(context)
  const database = await node.database(databaseOf('payment', context.dataFolder))
  node.serve(payment, paymentHandlers(database, node.client(account, callOptions)))
  await node.start()
  return {}
})
