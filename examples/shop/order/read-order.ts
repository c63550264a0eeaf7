/**
 * An order as customers see it: its state from the book, its steps from the saga. The last step writes
 * the book a moment before the saga takes note of it; until then the order is pending, so that what has
 * ended never changes again.
 */
import type { HoldfastNode } from 'holdfast'
import type { SqlDatabase } from 'holdfast/ports'
import type { OrderView } from '../shared/contracts.ts'

export async function readOrder(
  node: HoldfastNode,
  database: SqlDatabase,
  orderId: string,
): Promise<OrderView | null> {
  const saga = await node.inspectSaga('place-order', orderId)
  const sql = 'SELECT state FROM book WHERE order_id = ?1'
  const statements = [{ sql, parameters: [orderId] }]
  const { results } = await database.run({ mode: 'read', statements })
  const state = results[0]?.rows[0]?.state
  if (saga === undefined && state === undefined) return null
  const open = saga !== undefined && saga.endedAtMs === undefined
  const status = !open && (state === 'confirmed' || state === 'rejected') ? state : 'pending'
  const cause = saga?.cause
  const reason =
    cause === undefined ? {} : { reason: 'reason' in cause ? cause.reason : cause.kind }
  const steps = (saga?.steps ?? []).map(
    ({ name, status: stepState, attempts, startedAtMs, endedAtMs }) => ({
      name,
      state: stepState,
      attempts,
      ...(startedAtMs === undefined ? {} : { startedAtMs }),
      ...(endedAtMs === undefined ? {} : { endedAtMs }),
    }),
  )
  return { orderId, status, ...(status === 'rejected' ? reason : {}), steps }
}
