/**
 * Stock as SQL. A piece is available, reserved for an order, or sold; it never leaves that circle, so
 * the three always add up to what was ever brought in.
 */
import type { SqlStatement } from 'holdfast/runtime'
import { type Item, openingStock, skus } from '../shared/catalog.ts'

export const stockTables = `
  CREATE TABLE stock (
    sku TEXT PRIMARY KEY,
    received INTEGER NOT NULL CHECK (received >= 0),
    available INTEGER NOT NULL CHECK (available >= 0),
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE reservation (
    order_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    state TEXT NOT NULL CHECK (state IN ('reserved', 'released', 'sold')),
    PRIMARY KEY (order_id, sku)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO stock (sku, received, available)
    VALUES ${skus.map((sku) => `('${sku}', ${openingStock}, ${openingStock})`).join(', ')};`

/** Refused at the first item that is not there: nothing is reserved then. */
export function reserve(orderId: string, items: readonly Item[]): SqlStatement[] {
  return merged(items).flatMap(({ sku, quantity }) => [
    {
      sql: `UPDATE stock SET available = available - ?2, reserved = reserved + ?2
            WHERE sku = ?1 AND available >= ?2`,
      parameters: [sku, quantity],
      expect: 1,
    },
    {
      sql: `INSERT INTO reservation (order_id, sku, quantity, state) VALUES (?1, ?2, ?3, 'reserved')`,
      parameters: [orderId, sku, quantity],
      expect: 1,
    },
  ])
}

/** Gives back what the order holds, if it holds anything. */
export function release(orderId: string): SqlStatement[] {
  return move(orderId, 'available', 'released')
}

export function sell(orderId: string): SqlStatement[] {
  return move(orderId, 'sold', 'sold')
}

function move(orderId: string, target: 'available' | 'sold', state: string): SqlStatement[] {
  return [
    {
      sql: `UPDATE stock SET reserved = reserved - held.quantity, ${target} = ${target} + held.quantity
            FROM (SELECT sku, quantity FROM reservation WHERE order_id = ?1 AND state = 'reserved') AS held
            WHERE stock.sku = held.sku`,
      parameters: [orderId],
    },
    {
      sql: `UPDATE reservation SET state = ?2 WHERE order_id = ?1 AND state = 'reserved'`,
      parameters: [orderId, state],
    },
  ]
}

export function restock(sku: string, quantity: number): SqlStatement[] {
  return [
    {
      sql: `INSERT INTO stock (sku, received, available) VALUES (?1, ?2, ?2)
            ON CONFLICT (sku) DO UPDATE SET received = received + ?2, available = available + ?2`,
      parameters: [sku, quantity],
      expect: 1,
    },
  ]
}

export function level(sku: string): SqlStatement {
  const sql = 'SELECT sku, available, reserved, sold FROM stock WHERE sku = ?1'
  return { sql, parameters: [sku] }
}

/** One line per article: an order may name the same one twice. */
function merged(items: readonly Item[]): Item[] {
  const quantities = new Map<string, number>()
  for (const { sku, quantity } of items) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity)
  return [...quantities].map(([sku, quantity]) => ({ sku, quantity }))
}
