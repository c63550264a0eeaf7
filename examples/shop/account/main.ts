/**
 * One instance of the accounts.
 */
import { serviceProcess } from 'holdfast/cli'
import { account } from '../shared/contracts.ts'
import { databaseOf } from '../shared/databases.ts'
import { shopNode } from '../shared/shop-node.ts'
import { accountHandlers } from './service.ts'

await serviceProcess(async (context) => {
  const node = await shopNode(context)
  const database = await node.database(databaseOf('account', context.dataFolder))
  node.serve(account, accountHandlers(database))
  await node.start()
  return {}
})
