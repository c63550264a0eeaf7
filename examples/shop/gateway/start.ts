/**
 * One instance of the gateway, wherever it runs: everything but the door. Whoever opens it decides how
 * customers come in, then starts the node.
 */
import type { HoldfastNode } from 'holdfast'
import { embeddedFile } from 'holdfast/drivers/embedded'
import { account, inventory, order } from '../shared/contracts.ts'
import { databaseOf } from '../shared/databases.ts'
import { ordersQueue } from '../shared/orders-queue.ts'
import { callOptions, type ShopContext, shopNode } from '../shared/shop-node.ts'
import { audit } from './audit.ts'
import { type ShopApi, type ShopApiParts, shopApi } from './shop-api.ts'

export interface GatewayContext extends ShopContext {
  /** See `ShopApiParts`: SHA-256 is Node's, so it comes from outside. */
  readonly hash: ShopApiParts['hash']
  /** Where the node listens, if it serves. Default: any free port of this machine. */
  readonly listen?: string
}

export async function openGateway(
  context: GatewayContext,
  apiOf: typeof shopApi = shopApi,
): Promise<{ readonly node: HoldfastNode; readonly api: ShopApi }> {
  const { dataFolder, observer, hash, listen } = context
  const node = await shopNode(context, {
    records: embeddedFile({ path: `${dataFolder}/gateway-keys.db` }),
    ...(listen ? { listen } : {}),
  })
  const { clock, random } = node.runtime
  const open = (service: Parameters<typeof databaseOf>[0]) =>
    node.database(databaseOf(service, dataFolder))
  const books = {
    intake: await open('gateway'),
    orders: await open('order'),
    stock: await open('inventory'),
    ledger: await open('account'),
  }
  const api = apiOf({
    database: books.intake,
    queue: ordersQueue(context, node),
    idempotency: node.idempotency({ retainMs: 86_400_000, holdMs: 3_000 }),
    order: node.client(order, callOptions),
    inventory: node.client(inventory, callOptions),
    account: node.client(account, callOptions),
    wallMs: clock.wallMs,
    newId: () => random.id('request'),
    hash,
    invariants: audit(clock, observer, books),
  })
  return { node, api }
}
