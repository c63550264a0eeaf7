/**
 * One instance of the order service, wherever it runs: takes accepted orders from the queue and sees each
 * through.
 */
import type { HoldfastNode } from 'holdfast'
import { embeddedFile } from 'holdfast/drivers/embedded'
import { inventory, order, payment } from '../shared/contracts.ts'
import { databaseOf } from '../shared/databases.ts'
import { ordersQueue } from '../shared/orders-queue.ts'
import { callOptions, type ShopContext, shopNode } from '../shared/shop-node.ts'
import { orderVersion, placeOrder } from './place-order.ts'
import { readOrder } from './read-order.ts'
import { watchman } from './watchman.ts'

/** Orders under way in one instance. */
const concurrency = 32
/** How long after an instance's death another goes on with its orders. */
const takeoverMs = 4_000

export async function startOrder(context: ShopContext): Promise<HoldfastNode> {
  const { dataFolder, environment = {} } = context
  const version = orderVersion(environment.SHOP_ORDER_VERSION)
  const node = await shopNode(context, {
    records: embeddedFile({ path: `${dataFolder}/order-sagas.db` }),
    sagas: { concurrency: 2 * concurrency, holdMs: takeoverMs, pollMs: 500 },
  })
  const database = await node.database(databaseOf('order', dataFolder))
  const parts = {
    database,
    inventory: node.client(inventory, callOptions),
    payment: node.client(payment, callOptions),
  }
  const place = placeOrder(node, parts, version)
  node.serve(order, { read: ({ orderId }) => readOrder(node, database, orderId) })
  await node.start()
  const queue = ordersQueue(context, node)
  await queue.consume(
    async (placed, { signal }) => void (await place.run(placed, { id: placed.orderId, signal })),
    { concurrency, leaseMs: takeoverMs, attemptsMax: 1_000, retryDelayMs: () => 500 },
  )
  watchman(context, node, queue)
  return node
}
