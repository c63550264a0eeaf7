/**
 * What must be true of the shop at every moment, computed from the services' own databases.
 *
 * Each database is read in one snapshot. Sums across databases are taken over ended orders only, and the
 * order book is read first: an order that has ended there has ended everywhere, so whatever the other
 * databases say about it later can only be its end.
 */
import type { SqlDatabase } from 'holdfast/ports'
import type { SqlRow, SqlStatement } from 'holdfast/runtime'

export interface Books {
  readonly intake: SqlDatabase
  readonly orders: SqlDatabase
  readonly stock: SqlDatabase
  readonly ledger: SqlDatabase
}

export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
}

export interface InvariantReport {
  readonly ok: boolean
  readonly checks: readonly Check[]
}

/** An accepted order must have ended within this time. */
const endWithinMs = 60_000
/** Ended orders compared in one go. */
const pageSize = 2_000

export async function invariants(books: Books, nowMs: number): Promise<InvariantReport> {
  const ended = await endedOrders(books)
  const checks = [
    await moneyConserved(books),
    await nothingOversold(books),
    await everyAcceptedOrderEnds(books, nowMs),
    ended,
  ]
  return { ok: checks.every(({ ok }) => ok), checks }
}

async function moneyConserved({ ledger }: Books): Promise<Check> {
  const [sums, holds] = await snapshot(ledger, [
    `SELECT COALESCE(SUM(deposited_cents), 0) AS deposited, COALESCE(SUM(balance_cents), 0) AS balance,
            COALESCE(SUM(held_cents), 0) AS held FROM account`,
    `SELECT COALESCE(SUM(amount_cents) FILTER (WHERE state = 'held'), 0) AS held,
            COALESCE(SUM(amount_cents) FILTER (WHERE state = 'captured'), 0) AS captured FROM hold`,
  ])
  const [deposited, balance, held] = numbers(sums, 'deposited', 'balance', 'held')
  const [heldByOrders, captured] = numbers(holds, 'held', 'captured')
  const ok = deposited === balance + held + captured && held === heldByOrders
  const detail = `${deposited} paid in = ${balance} in accounts + ${held} held + ${captured} captured`
  return { name: 'money-conserved', ok, detail }
}

async function nothingOversold({ stock }: Books): Promise<Check> {
  const [levels, orders] = await snapshot(stock, [
    `SELECT COUNT(*) FILTER (WHERE available < 0 OR reserved < 0
                                OR received <> available + reserved + sold) AS wrong,
            SUM(received) AS received, SUM(available) AS available,
            SUM(reserved) AS reserved, SUM(sold) AS sold FROM stock`,
    `SELECT COALESCE(SUM(quantity) FILTER (WHERE state = 'reserved'), 0) AS reserved,
            COALESCE(SUM(quantity) FILTER (WHERE state = 'sold'), 0) AS sold FROM reservation`,
  ])
  const [wrong, received, available, reserved, sold] = numbers(
    levels,
    'wrong',
    'received',
    'available',
    'reserved',
    'sold',
  )
  const [reservedByOrders, soldByOrders] = numbers(orders, 'reserved', 'sold')
  const ok = wrong === 0 && reserved === reservedByOrders && sold === soldByOrders
  const detail = `${received} received = ${available} available + ${reserved} reserved + ${sold} sold`
  return { name: 'nothing-oversold', ok, detail }
}

async function everyAcceptedOrderEnds({ intake, orders }: Books, nowMs: number): Promise<Check> {
  const name = 'every-accepted-order-ends'
  const [late] = await snapshot(intake, [
    {
      sql: `SELECT order_id FROM intake WHERE state = 'accepted' AND at_ms < ?1
            ORDER BY at_ms LIMIT 10000`,
      parameters: [nowMs - endWithinMs],
    },
  ])
  const ids = JSON.stringify((late ?? []).map((row) => row.order_id))
  const [ended] = await snapshot(orders, [
    {
      sql: `SELECT order_id FROM book WHERE order_id IN (SELECT value FROM json_each(?1))
            AND state IN ('confirmed', 'rejected')`,
      parameters: [ids],
    },
  ])
  const done = JSON.stringify((ended ?? []).map((row) => row.order_id))
  await intake.run({
    statements: [
      {
        sql: `UPDATE intake SET state = 'ended'
              WHERE order_id IN (SELECT value FROM json_each(?1)) AND state = 'accepted'`,
        parameters: [done],
      },
    ],
    durability: 'relaxed',
  })
  const open = (late?.length ?? 0) - (ended?.length ?? 0)
  const detail = open === 0 ? 'none waits too long' : `${open} wait for more than ${endWithinMs} ms`
  return { name, ok: open === 0, detail }
}

/** Every ended order, compared over the three databases: paid and delivered, or neither. */
async function endedOrders({ orders, stock, ledger }: Books): Promise<Check> {
  let after = ''
  let compared = 0
  for (;;) {
    const [page = []] = await snapshot(orders, [
      {
        sql: `SELECT order_id, state, total_cents,
                (SELECT SUM(value ->> 'quantity') FROM json_each(items)) AS quantity
              FROM book WHERE order_id > ?1 AND state IN ('confirmed', 'rejected')
              ORDER BY order_id LIMIT ${pageSize}`,
        parameters: [after],
      },
    ])
    const wrong = await compare(page, stock, ledger)
    if (wrong !== undefined) return { name: 'ended-orders-whole', ok: false, detail: wrong }
    compared += page.length
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) break
    after = String(last.order_id)
  }
  return { name: 'ended-orders-whole', ok: true, detail: `${compared} ended orders compared` }
}

async function compare(
  page: readonly SqlRow[],
  stock: SqlDatabase,
  ledger: SqlDatabase,
): Promise<string | undefined> {
  const ids = JSON.stringify(page.map((row) => row.order_id))
  const [paid = []] = await snapshot(ledger, [
    {
      sql: `SELECT order_id, state, amount_cents AS amount FROM hold
            WHERE order_id IN (SELECT value FROM json_each(?1)) AND state <> 'released'`,
      parameters: [ids],
    },
  ])
  const [delivered = []] = await snapshot(stock, [
    {
      sql: `SELECT order_id, MIN(state) AS state, MAX(state) AS other, SUM(quantity) AS amount
            FROM reservation
            WHERE order_id IN (SELECT value FROM json_each(?1)) AND state <> 'released'
            GROUP BY order_id`,
      parameters: [ids],
    },
  ])
  const money = new Map(paid.map((row) => [row.order_id, row]))
  const pieces = new Map(delivered.map((row) => [row.order_id, row]))
  for (const order of page) {
    const [cents, goods] = [money.get(order.order_id), pieces.get(order.order_id)]
    const whole =
      order.state === 'confirmed'
        ? cents?.state === 'captured' &&
          cents.amount === order.total_cents &&
          goods?.state === 'sold' &&
          goods.other === 'sold' &&
          goods.amount === order.quantity
        : cents === undefined && goods === undefined
    if (!whole) {
      return `order ${order.order_id} is ${order.state}, but money is ${cents?.state ?? 'free'} (${cents?.amount ?? 0} of ${order.total_cents}) and goods are ${goods?.state ?? 'free'} (${goods?.amount ?? 0} of ${order.quantity})`
    }
  }
  return undefined
}

async function snapshot(
  database: SqlDatabase,
  statements: readonly (string | SqlStatement)[],
): Promise<readonly (readonly SqlRow[])[]> {
  const { results } = await database.run({
    mode: 'read',
    statements: statements.map((statement) =>
      typeof statement === 'string' ? { sql: statement } : statement,
    ),
  })
  return results.map(({ rows }) => rows)
}

function numbers<Names extends readonly string[]>(
  rows: readonly SqlRow[] | undefined,
  ...names: Names
): { -readonly [Index in keyof Names]: number } {
  return names.map((name) => Number(rows?.[0]?.[name] ?? 0)) as never
}
