/**
 * What the services ask of each other. Every procedure that changes something names the order it
 * belongs to and may be called again: that makes a retry after a lost answer safe.
 */
import { procedure, service } from 'holdfast/services'
import { z } from 'zod'

const orderId = z.string().min(1).max(100)
const cents = z.number().int().min(0).max(1_000_000_000)
/**
 * 1 to 100 characters without control characters and halves of surrogate pairs: what is accepted here
 * must be storable by everyone it passes on the way.
 */
export const name: z.ZodString = z.string().regex(/^[^\p{C}]{1,100}$/u)

export const Items = z
  .array(z.object({ sku: name, quantity: z.number().int().min(1).max(10_000) }))
  .min(1)
  .max(20)

export const OrderRequest = z.object({ userId: name, items: Items })
export type OrderRequest = z.infer<typeof OrderRequest>
export const PlacedOrder = OrderRequest.extend({ orderId })
export type PlacedOrder = z.infer<typeof PlacedOrder>

/** Done, or a reason why the shop says no. Either is final and the same on every repetition. */
const Decision = z.discriminatedUnion('decision', [
  z.object({ decision: z.literal('done') }),
  z.object({ decision: z.literal('refused'), reason: z.string().max(200) }),
])
export type Decision = z.infer<typeof Decision>

const Count = z.number().int()
const StockLevel = z.object({ sku: name, available: Count, reserved: Count, sold: Count })

export const inventory = service('inventory', {
  version: 1,
  procedures: {
    reserve: procedure({
      input: z.object({ orderId, items: Items }),
      output: Decision,
      idempotent: true,
    }),
    release: procedure({ input: z.object({ orderId }), output: Decision, idempotent: true }),
    sell: procedure({ input: z.object({ orderId }), output: Decision, idempotent: true }),
    level: procedure({
      input: z.object({ sku: name }),
      output: StockLevel.nullable(),
      idempotent: true,
    }),
    restock: procedure({
      input: z.object({
        requestId: name,
        sku: name,
        quantity: z.number().int().min(1).max(1_000_000),
      }),
      output: StockLevel,
      idempotent: true,
    }),
  },
})

const Balance = z.object({ userId: name, balanceCents: Count, heldCents: Count })

export const account = service('account', {
  version: 1,
  procedures: {
    hold: procedure({
      input: z.object({ orderId, userId: name, amountCents: cents }),
      output: Decision,
      idempotent: true,
    }),
    release: procedure({ input: z.object({ orderId }), output: Decision, idempotent: true }),
    capture: procedure({ input: z.object({ orderId }), output: Decision, idempotent: true }),
    balance: procedure({
      input: z.object({ userId: name }),
      output: Balance.nullable(),
      idempotent: true,
    }),
    deposit: procedure({
      input: z.object({ requestId: name, userId: name, amountCents: cents }),
      output: Balance,
      idempotent: true,
    }),
  },
})

export const payment = service('payment', {
  version: 1,
  procedures: {
    authorize: procedure({
      input: z.object({ orderId, userId: name, amountCents: cents }),
      output: Decision,
      idempotent: true,
    }),
    cancel: procedure({ input: z.object({ orderId }), output: Decision, idempotent: true }),
    capture: procedure({ input: z.object({ orderId }), output: Decision, idempotent: true }),
  },
})

const Step = z.object({
  name: z.string(),
  state: z.string(),
  attempts: z.number().int(),
  startedAtMs: z.number().optional(),
  endedAtMs: z.number().optional(),
})

export const OrderView = z.object({
  orderId,
  status: z.enum(['pending', 'confirmed', 'rejected']),
  reason: z.string().optional(),
  steps: z.array(Step),
})
export type OrderView = z.infer<typeof OrderView>

export const order = service('order', {
  version: 1,
  procedures: {
    read: procedure({
      input: z.object({ orderId }),
      output: OrderView.nullable(),
      idempotent: true,
    }),
  },
})
