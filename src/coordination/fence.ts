/**
 * The fence is the half of a lock that stands at the resource. It remembers the largest token it has
 * seen for a name and refuses every smaller one: a holder that was paused, lost its lock and woke up again
 * finds the door closed, however sure it is of itself.
 *
 * Put `acceptFence` first in the batch that writes; and if the write depends on something read under the
 * lock, first in the batch that reads as well. Otherwise this happens: the new holder reads, the old one's
 * late write still passes (nobody with a larger token has been at the door yet), and the new holder
 * overwrites it from what it read before.
 *
 *     await orders.run({ statements: [
 *       acceptFence('orders', 'order/42', lock.token),
 *       { sql: 'UPDATE orders SET paid = 1 WHERE id = ?1', parameters: [42] },
 *     ] })                                    // refusedAt === 0: a newer holder has been here
 *
 * Promised: of two batches with tokens for one name, the smaller is never applied after the larger. Not
 * promised: anything for writes that do not carry the statement. For SQLite and Postgres.
 */
import { InvalidArgumentError } from '../errors.ts'
import { requireText } from '../ports/arguments.ts'
import type { SqlStatement } from '../runtime/index.ts'

/** Run it once in the database to be protected; repeating it does no harm. One row stays per name. */
export const fenceTable: string = `
CREATE TABLE IF NOT EXISTS holdfast_fence (
  space TEXT NOT NULL,
  name TEXT NOT NULL,
  token BIGINT NOT NULL,
  PRIMARY KEY (space, name)
)`

/**
 * Lets the batch through if no larger token has been seen for the name, and remembers this one. Equal
 * tokens pass: a holder writes as often as it likes. Otherwise the whole batch is undone and `refusedAt`
 * is the index of this statement.
 *
 * @param space whose tokens these are, 1 to 100 characters: tokens of two stores cannot be compared.
 * @param name what is protected, 1 to 512 characters; usually the lock's name.
 * @param token of the lock, 1 to 2^63 - 1.
 */
export function acceptFence(space: string, name: string, token: bigint): SqlStatement {
  requireText('space', space, 100)
  requireText('name', name, 512)
  if (typeof token !== 'bigint' || token < 1n || token >= 2n ** 63n) {
    throw new InvalidArgumentError(`token is ${token}; expected a bigint from 1 to 2^63 - 1`)
  }
  return {
    sql: `INSERT INTO holdfast_fence AS fence (space, name, token) VALUES (?1, ?2, ?3)
          ON CONFLICT (space, name) DO UPDATE SET token = excluded.token
          WHERE fence.token <= excluded.token`,
    parameters: [space, name, token],
    expect: 1,
  }
}
