/**
 * Two judges. The auditor samples the shop's own invariants while everything goes wrong; the last word,
 * after the healing, compares the services' books with the customers' own account, to the cent and the
 * piece.
 */
import { embeddedDatabase } from 'holdfast/drivers/embedded'
import type { SqlDatabase } from 'holdfast/ports'
import { type Runtime, type SqlRow, sleep } from 'holdfast/runtime'
import type { World } from 'holdfast/testing'
import { type Books, invariants } from '../gateway/invariants.ts'
import { openingBalanceCents, openingStock, skus, totalCents, users } from '../shared/catalog.ts'
import { databaseOf } from '../shared/databases.ts'
import type { Account, CustomerOrder } from './customers.ts'

/** Counted on wall clocks that jump: only the last word can ask it. */
const endsInTime = 'every-accepted-order-ends'
/** An accepted order may be open for so long. */
const endWithinMs = 60_000

export async function auditor(world: World, runtime: Runtime, dataFolder: string): Promise<void> {
  const books = await open(runtime, dataFolder)
  for (;;) {
    const report = await invariants(books, runtime.clock.wallMs()).catch(() => undefined)
    for (const { name, ok, detail } of report?.checks ?? []) {
      if (!ok && name !== endsInTime) world.fail(name, detail)
    }
    if (report !== undefined) world.reached('an audit')
    await sleep(runtime.timers, 500 + runtime.random.fraction('audit') * 2_000)
  }
}

/** After the healing, when every customer has seen his orders end. */
export async function lastWord(
  world: World,
  runtime: Runtime,
  dataFolder: string,
  account: Account,
): Promise<void> {
  // Whoever was paused in mid-call has time to do his harm.
  await sleep(runtime.timers, 10_000)
  const books = await open(runtime, dataFolder)
  const late = runtime.clock.wallMs() + endWithinMs + 1_000
  const { checks } = await invariants(books, late)
  for (const { name, ok, detail } of checks) if (!ok) world.fail(name, detail)
  const differences = [
    ...bookDifferences(await rows(books.orders, 'SELECT order_id, state FROM book'), account),
    ...stockDifferences(await rows(books.stock, 'SELECT * FROM stock'), account),
    ...receiptDifferences(await rows(books.orders, 'SELECT order_id FROM receipt'), account),
    ...ledgerDifferences(await rows(books.ledger, 'SELECT * FROM account'), account),
  ]
  for (const { steps } of account.orders) {
    world.reached(`an order of version ${steps?.includes('receipt') ? 2 : 1}`)
  }
  if (differences.length > 0) {
    world.fail('customers say otherwise', differences.slice(0, 5).join('; '))
  }
}

/** Each order as its customer saw it end, and none that nobody made. */
function bookDifferences(book: readonly SqlRow[], { orders }: Account): string[] {
  const states = new Map(book.map((row) => [row.order_id, row.state]))
  const differences = orders.flatMap(({ key, orderId = '', outcome }) => {
    const state = states.get(orderId)
    states.delete(orderId)
    return state === outcome ? [] : [`order ${key} is ${state}, shown as ${outcome}`]
  })
  return [...differences, ...[...states].map(([id, state]) => `nobody made ${id}, ${state}`)]
}

/** A receipt for each confirmed order that has the step, and for no other. */
function receiptDifferences(receipts: readonly SqlRow[], { orders }: Account): string[] {
  const written = new Set(receipts.map((row) => row.order_id))
  return orders.flatMap(({ key, orderId = '', outcome, steps }) => {
    const due = outcome === 'confirmed' && steps?.includes('receipt') === true
    if (due === written.has(orderId)) return []
    return [`order ${key} ${due ? 'lacks its receipt' : 'has a receipt it should not have'}`]
  })
}

function stockDifferences(stock: readonly SqlRow[], account: Account): string[] {
  const sold = new Map<string, number>()
  for (const { asked } of account.orders.filter(confirmed)) {
    for (const { sku, quantity } of asked.items) sold.set(sku, (sold.get(sku) ?? 0) + quantity)
  }
  const received = new Map([
    ...skus.map((sku) => [sku, openingStock] as const),
    ...account.restocked,
  ])
  return stock.flatMap((row) => {
    const sku = String(row.sku)
    const [got, gone] = [received.get(sku) ?? 0, sold.get(sku) ?? 0]
    const actual = `${row.received} received, ${row.available} left, ${row.sold} sold`
    const expected = `${got} received, ${got - gone} left, ${gone} sold`
    return actual === expected ? [] : [`${sku}: ${actual}; expected ${expected}`]
  })
}

function ledgerDifferences(ledger: readonly SqlRow[], account: Account): string[] {
  const spent = new Map<string, number>()
  for (const { asked } of account.orders.filter(confirmed)) {
    spent.set(asked.userId, (spent.get(asked.userId) ?? 0) + totalCents(asked.items))
  }
  const paidIn = new Map([
    ...users.map((user) => [user, openingBalanceCents] as const),
    ...account.deposited,
  ])
  return ledger.flatMap((row) => {
    const user = String(row.user_id)
    const left = (paidIn.get(user) ?? 0) - (spent.get(user) ?? 0)
    const actual = `${row.balance_cents} left, ${row.held_cents} held`
    return actual === `${left} left, 0 held` ? [] : [`${user}: ${actual}; expected ${left} left`]
  })
}

const confirmed = ({ outcome }: CustomerOrder): boolean => outcome === 'confirmed'

async function open(runtime: Runtime, dataFolder: string): Promise<Books> {
  const database = (name: Parameters<typeof databaseOf>[0]) =>
    embeddedDatabase(runtime, databaseOf(name, dataFolder))
  return {
    intake: await database('gateway'),
    orders: await database('order'),
    stock: await database('inventory'),
    ledger: await database('account'),
  }
}

async function rows(database: SqlDatabase, sql: string): Promise<readonly SqlRow[]> {
  const { results } = await database.run({ mode: 'read', statements: [{ sql }] })
  return results[0]?.rows ?? []
}
