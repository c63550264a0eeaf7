/**
 * The payment service stands between orders and accounts: it notes its intent, asks the accounts, and
 * notes the answer. A crash between any two of these is repaired by the same call coming again.
 */
import type { SqlDatabase } from 'holdfast/ports'
import type { Handlers, RpcClient } from 'holdfast/services/rpc'
import { participant } from 'holdfast/transactions'
import type { account, Decision, payment } from '../shared/contracts.ts'
import { become, begin } from './payments.ts'

const done: Decision = { decision: 'done' }

export function paymentHandlers(
  database: SqlDatabase,
  accounts: RpcClient<(typeof account)['procedures']>,
): Handlers<(typeof payment)['procedures']> {
  const orders = participant(database, { scope: 'authorize' })

  return {
    async authorize({ orderId, userId, amountCents }, call) {
      const intent = await orders.apply(orderId, begin(orderId, userId, amountCents))
      // Cancelled before it came: the tombstone stands here and, once the cancellation is through,
      // at the accounts too.
      if (intent.status !== 'applied') return { decision: 'refused', reason: 'cancelled' }
      const held = await accounts.hold({ orderId, userId, amountCents }, { parent: call })
      const state = held.decision === 'done' ? 'authorized' : 'declined'
      await database.run({ statements: become(orderId, state) })
      return held
    },
    async cancel({ orderId }, call) {
      await orders.undo(orderId, become(orderId, 'cancelled'))
      return accounts.release({ orderId }, { parent: call })
    },
    async capture({ orderId }, call) {
      await accounts.capture({ orderId }, { parent: call })
      await database.run({ statements: become(orderId, 'captured') })
      return done
    },
  }
}
