/**
 * One instance of the gateway: the shop's HTTP, and the audit of its invariants.
 */
import { join } from 'node:path'
import { serviceProcess } from 'holdfast/cli'
import { embeddedFile } from 'holdfast/drivers/embedded'
import { account, inventory, order } from '../shared/contracts.ts'
import { databaseOf } from '../shared/databases.ts'
import { ordersQueue } from '../shared/orders-queue.ts'
import { callOptions, shopNode } from '../shared/shop-node.ts'
import { httpServer } from './http.ts'
import { type InvariantReport, invariants } from './invariants.ts'
import { routes } from './routes.ts'

/** An answer of the audit is good for so long: it reads every ended order. */
const auditKeptMs = 1_000

await serviceProcess(async (context) => {
  const { dataFolder, observer, onStop } = context
  const node = await shopNode(context, {
    records: embeddedFile({ path: join(dataFolder, 'gateway-keys.db') }),
  })
  const { clock } = node.runtime
  const open = (service: Parameters<typeof databaseOf>[0]) =>
    node.database(databaseOf(service, dataFolder))
  const books = {
    intake: await open('gateway'),
    orders: await open('order'),
    stock: await open('inventory'),
    ledger: await open('account'),
  }

  let latest: { readonly atMs: number; readonly report: Promise<InvariantReport> } | undefined
  let shown: InvariantReport | undefined
  const audit = (): Promise<InvariantReport> => {
    const nowMs = clock.monotonicMs()
    if (latest === undefined || nowMs - latest.atMs > auditKeptMs) {
      const report = invariants(books, clock.wallMs())
      latest = { atMs: nowMs, report }
      report.then(
        (done) => {
          shown = done
        },
        () => {
          // A failed audit is not kept.
          latest = undefined
        },
      )
    }
    return latest.report
  }
  // The console looks often: it gets the last finished audit at once, and sets the next one going.
  observer.snapshot('invariants', () => {
    audit().catch(() => {})
    return shown
  })

  await node.start()
  const server = await httpServer(
    routes({
      database: books.intake,
      queue: ordersQueue(node),
      idempotency: node.idempotency({ retainMs: 86_400_000, holdMs: 3_000 }),
      order: node.client(order, callOptions),
      inventory: node.client(inventory, callOptions),
      account: node.client(account, callOptions),
      wallMs: clock.wallMs,
      invariants: audit,
    }),
  )
  onStop(server.close)
  return { httpAddress: server.address }
})
