/**
 * How an order is placed, step by step, with the way back for each. `commit` is the pivot: before it
 * everything can be undone, after it the order is carried out however long that takes.
 *
 *   version 1: open → reserve → authorize → commit → capture → sell → confirm
 *   version 2: open → reserve → authorize → commit → capture → sell → receipt → confirm
 *
 * An order ends on the version it began with. So a process that begins version 2 still knows version 1,
 * and one that knows only version 1 leaves orders of version 2 alone: they can be deployed one by one.
 */
import type { BoundSaga, HoldfastNode } from 'holdfast'
import type { SqlDatabase } from 'holdfast/ports'
import type { RpcClient } from 'holdfast/services/rpc'
import { effectOnce, participant, refuse, type StepRetry } from 'holdfast/transactions'
import { totalCents } from '../shared/catalog.ts'
import { type Decision, type inventory, PlacedOrder, type payment } from '../shared/contracts.ts'
import { commit, confirm, open, receipt, reject } from './book.ts'

export interface OrderParts {
  readonly database: SqlDatabase
  readonly inventory: RpcClient<(typeof inventory)['procedures']>
  readonly payment: RpcClient<(typeof payment)['procedures']>
}

export type OrderVersion = 1 | 2

/** The version on which this process begins orders: `SHOP_ORDER_VERSION=2`. */
export function orderVersion(asked: string | undefined): OrderVersion {
  if (asked === undefined || asked === '1') return 1
  if (asked === '2') return 2
  throw new Error(`SHOP_ORDER_VERSION is "${asked}"; expected 1 or 2`)
}

/** A service that is down comes back: wait for it rather than turn a customer away. */
const patient: StepRetry = { attemptsMax: 1_000, parkAfter: 10_000, baseMs: 50, capMs: 1_000 }
const step = { retry: patient, timeoutMs: 6_000 } as const

export function placeOrder(
  node: HoldfastNode,
  parts: OrderParts,
  version: OrderVersion,
): BoundSaga<PlacedOrder, unknown> {
  const { database } = parts
  const last = {
    ...step,
    run: async ({ orderId }: PlacedOrder) => {
      await effectOnce(database, { scope: 'confirm', id: orderId }, confirm(orderId))
    },
  }
  const first = untilSold(node, parts, 1).step('confirm', last)
  if (version === 1) return first
  return untilSold(node, parts, 2)
    .step('receipt', {
      ...step,
      run: async ({ orderId }) => {
        await effectOnce(database, { scope: 'receipt', id: orderId }, receipt(orderId))
      },
    })
    .step('confirm', last)
}

function untilSold(
  node: HoldfastNode,
  { database, inventory, payment }: OrderParts,
  version: OrderVersion,
) {
  const book = participant(database, { scope: 'book' })
  return node
    .saga('place-order', { version, input: PlacedOrder })
    .step('open', {
      ...step,
      run: async (order) => void (await book.apply(order.orderId, open(order))),
      compensate: (order) => book.undo(order.orderId, reject(order)),
    })
    .step('reserve', {
      ...step,
      run: async ({ orderId, items }, { signal }) =>
        accepted(await inventory.reserve({ orderId, items }, { signal })),
      compensate: ({ orderId }, { signal }) => inventory.release({ orderId }, { signal }),
    })
    .step('authorize', {
      ...step,
      run: async ({ orderId, userId, items }, { signal }) => {
        const amountCents = totalCents(items)
        return accepted(await payment.authorize({ orderId, userId, amountCents }, { signal }))
      },
      compensate: ({ orderId }, { signal }) => payment.cancel({ orderId }, { signal }),
    })
    .step('commit', {
      ...step,
      kind: 'pivot',
      run: async ({ orderId }) => {
        await effectOnce(database, { scope: 'commit', id: orderId }, commit(orderId))
      },
    })
    .step('capture', {
      ...step,
      run: async ({ orderId }, { signal }) => void (await payment.capture({ orderId }, { signal })),
    })
    .step('sell', {
      ...step,
      run: async ({ orderId }, { signal }) => void (await inventory.sell({ orderId }, { signal })),
    })
}

function accepted(answer: Decision) {
  return answer.decision === 'done' ? null : refuse(answer.reason)
}
