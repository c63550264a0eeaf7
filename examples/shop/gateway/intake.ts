/**
 * The gateway's own book: which orders it promised to carry out, and when. A row is written before the
 * order enters the queue and marked accepted after, so "accepted" always means "durably queued".
 */
import type { SqlStatement } from 'holdfast/runtime'

export const intakeTables = `
  CREATE TABLE intake (
    order_id TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('entering', 'accepted', 'ended')),
    at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX intake_by_state ON intake (state, at_ms);`

export function entering(orderId: string, nowMs: number): SqlStatement {
  return {
    sql: `INSERT INTO intake (order_id, state, at_ms) VALUES (?1, 'entering', ?2)
          ON CONFLICT (order_id) DO NOTHING`,
    parameters: [orderId, nowMs],
  }
}

export function accepted(orderId: string, nowMs: number): SqlStatement {
  return {
    sql: `UPDATE intake SET state = 'accepted', at_ms = ?2 WHERE order_id = ?1 AND state = 'entering'`,
    parameters: [orderId, nowMs],
  }
}

export function known(orderId: string): SqlStatement {
  const sql = `SELECT state FROM intake WHERE order_id = ?1 AND state <> 'entering'`
  return { sql, parameters: [orderId] }
}
