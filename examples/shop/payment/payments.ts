/**
 * The payment service's own record of each order's payment.
 */
import type { SqlStatement } from 'holdfast/runtime'

export const paymentTables = `
  CREATE TABLE payment (
    order_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    amount_cents INTEGER NOT NULL,
    state TEXT NOT NULL
      CHECK (state IN ('authorizing', 'authorized', 'declined', 'cancelled', 'captured'))
  ) STRICT, WITHOUT ROWID;`

export type PaymentState = 'authorized' | 'declined' | 'cancelled' | 'captured'

export function begin(orderId: string, userId: string, amountCents: number): SqlStatement[] {
  return [
    {
      sql: `INSERT INTO payment (order_id, user_id, amount_cents, state)
            VALUES (?1, ?2, ?3, 'authorizing')`,
      parameters: [orderId, userId, amountCents],
      expect: 1,
    },
  ]
}

/** Moves on from what came before; a payment that is further already stays where it is. */
export function become(orderId: string, state: PaymentState): SqlStatement[] {
  const earlier: Record<PaymentState, readonly string[]> = {
    authorized: ['authorizing'],
    declined: ['authorizing'],
    cancelled: ['authorizing', 'authorized', 'declined'],
    captured: ['authorizing', 'authorized'],
  }
  return [
    {
      sql: `UPDATE payment SET state = ?2
            WHERE order_id = ?1 AND state IN (SELECT value FROM json_each(?3))`,
      parameters: [orderId, state, JSON.stringify(earlier[state])],
    },
  ]
}
