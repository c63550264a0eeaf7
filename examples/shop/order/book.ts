/**
 * The order book as SQL: one row per order, written by the first step of its saga and ended by the last,
 * or by the compensation of the first, which runs when all else is undone.
 */
import type { SqlStatement } from 'holdfast/runtime'
import { totalCents } from '../shared/catalog.ts'
import type { PlacedOrder } from '../shared/contracts.ts'

export const bookTables = `
  CREATE TABLE book (
    order_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    items TEXT NOT NULL,
    total_cents INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'committed', 'confirmed', 'rejected'))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX book_by_state ON book (state, order_id);`

/** Came with version 2 of the saga; version 1 does not know it. */
export const receiptTables = `
  CREATE TABLE receipt (
    number INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL UNIQUE,
    total_cents INTEGER NOT NULL
  ) STRICT;`

export function open({ orderId, userId, items }: PlacedOrder): SqlStatement[] {
  return [
    {
      sql: `INSERT INTO book (order_id, user_id, items, total_cents, state)
            VALUES (?1, ?2, ?3, ?4, 'open')`,
      parameters: [orderId, userId, JSON.stringify(items), totalCents(items)],
      expect: 1,
    },
  ]
}

/** Also for an order that was never opened: the book remembers that it was turned down. */
export function reject({ orderId, userId, items }: PlacedOrder): SqlStatement[] {
  return [
    {
      sql: `INSERT INTO book (order_id, user_id, items, total_cents, state)
            VALUES (?1, ?2, ?3, ?4, 'rejected')
            ON CONFLICT (order_id) DO UPDATE SET state = 'rejected' WHERE state = 'open'`,
      parameters: [orderId, userId, JSON.stringify(items), totalCents(items)],
    },
  ]
}

/** The point of no return: from here the order is carried out, however long it takes. */
export function commit(orderId: string): SqlStatement[] {
  return advance(orderId, 'open', 'committed')
}

export function confirm(orderId: string): SqlStatement[] {
  return advance(orderId, 'committed', 'confirmed')
}

/** Numbers grow in the order of writing. */
export function receipt(orderId: string): SqlStatement[] {
  return [
    {
      sql: `INSERT INTO receipt (order_id, total_cents)
            SELECT order_id, total_cents FROM book WHERE order_id = ?1 AND state = 'committed'`,
      parameters: [orderId],
      expect: 1,
    },
  ]
}

function advance(orderId: string, source: string, target: string): SqlStatement[] {
  return [
    {
      sql: `UPDATE book SET state = ?3 WHERE order_id = ?1 AND state IN (?2, ?3)`,
      parameters: [orderId, source, target],
      expect: 1,
    },
  ]
}
