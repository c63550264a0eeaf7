/**
 * Accounts as SQL. A cent is in the balance, held for an order, or captured by the shop; the three always
 * add up to what was ever paid in.
 */
import type { SqlStatement } from 'holdfast/runtime'
import { openingBalanceCents, users } from '../shared/catalog.ts'

export const ledgerTables = `
  CREATE TABLE account (
    user_id TEXT PRIMARY KEY,
    deposited_cents INTEGER NOT NULL CHECK (deposited_cents >= 0),
    balance_cents INTEGER NOT NULL CHECK (balance_cents >= 0),
    held_cents INTEGER NOT NULL DEFAULT 0 CHECK (held_cents >= 0)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE hold (
    order_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    amount_cents INTEGER NOT NULL CHECK (amount_cents >= 0),
    state TEXT NOT NULL CHECK (state IN ('held', 'released', 'captured'))
  ) STRICT, WITHOUT ROWID;
  INSERT INTO account (user_id, deposited_cents, balance_cents)
    VALUES ${users.map((user) => `('${user}', ${openingBalanceCents}, ${openingBalanceCents})`).join(', ')};`

/** Refused if the account is not there or has too little. */
export function hold(orderId: string, userId: string, amountCents: number): SqlStatement[] {
  return [
    {
      sql: `UPDATE account SET balance_cents = balance_cents - ?2, held_cents = held_cents + ?2
            WHERE user_id = ?1 AND balance_cents >= ?2`,
      parameters: [userId, amountCents],
      expect: 1,
    },
    {
      sql: `INSERT INTO hold (order_id, user_id, amount_cents, state) VALUES (?1, ?2, ?3, 'held')`,
      parameters: [orderId, userId, amountCents],
      expect: 1,
    },
  ]
}

/** Gives back what the order holds, if it holds anything. */
export function release(orderId: string): SqlStatement[] {
  return end(orderId, 'balance_cents = balance_cents + ended.amount_cents,', 'released')
}

/** The money is the shop's. */
export function capture(orderId: string): SqlStatement[] {
  return end(orderId, '', 'captured')
}

function end(orderId: string, credit: string, state: string): SqlStatement[] {
  return [
    {
      sql: `UPDATE account SET ${credit} held_cents = held_cents - ended.amount_cents
            FROM (SELECT user_id, amount_cents FROM hold WHERE order_id = ?1 AND state = 'held') AS ended
            WHERE account.user_id = ended.user_id`,
      parameters: [orderId],
    },
    {
      sql: `UPDATE hold SET state = ?2 WHERE order_id = ?1 AND state = 'held'`,
      parameters: [orderId, state],
    },
  ]
}

export function deposit(userId: string, amountCents: number): SqlStatement[] {
  return [
    {
      sql: `INSERT INTO account (user_id, deposited_cents, balance_cents) VALUES (?1, ?2, ?2)
            ON CONFLICT (user_id) DO UPDATE
              SET deposited_cents = deposited_cents + ?2, balance_cents = balance_cents + ?2`,
      parameters: [userId, amountCents],
      expect: 1,
    },
  ]
}

export function balance(userId: string): SqlStatement {
  const sql = `SELECT user_id AS userId, balance_cents AS balanceCents, held_cents AS heldCents
               FROM account WHERE user_id = ?1`
  return { sql, parameters: [userId] }
}
