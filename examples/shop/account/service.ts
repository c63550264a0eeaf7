/**
 * The accounts' procedures. Each may come late, twice, or after its own undoing, and answers the same.
 */
import type { SqlDatabase } from 'holdfast/ports'
import type { Handlers } from 'holdfast/services/rpc'
import { effectOnce, participant } from 'holdfast/transactions'
import type { account, Decision } from '../shared/contracts.ts'
import { balance, capture, deposit, hold, release } from './ledger.ts'

const done: Decision = { decision: 'done' }

export function accountHandlers(database: SqlDatabase): Handlers<(typeof account)['procedures']> {
  const orders = participant(database, { scope: 'hold' })

  async function read(userId: string) {
    const { results } = await database.run({ mode: 'read', statements: [balance(userId)] })
    const row = results[0]?.rows[0]
    if (row === undefined) return null
    return { userId, balanceCents: Number(row.balanceCents), heldCents: Number(row.heldCents) }
  }

  return {
    async hold({ orderId, userId, amountCents }) {
      const { status } = await orders.apply(orderId, hold(orderId, userId, amountCents))
      if (status === 'applied') return done
      return {
        decision: 'refused',
        reason: status === 'refused' ? 'insufficient-funds' : 'released',
      }
    },
    async release({ orderId }) {
      await orders.undo(orderId, release(orderId))
      return done
    },
    async capture({ orderId }) {
      await effectOnce(database, { scope: 'capture', id: orderId }, capture(orderId))
      return done
    },
    balance: ({ userId }) => read(userId),
    async deposit({ requestId, userId, amountCents }) {
      await effectOnce(database, { scope: 'deposit', id: requestId }, deposit(userId, amountCents))
      const now = await read(userId)
      if (now === null) throw new Error(`account ${userId} vanished after a deposit`)
      return now
    },
  }
}
