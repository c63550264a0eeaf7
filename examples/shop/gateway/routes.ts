/**
 * The shop's public API.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Queue } from 'holdfast/messaging'
import type { SqlDatabase } from 'holdfast/ports'
import type { RpcClient } from 'holdfast/services/rpc'
import type { Idempotency } from 'holdfast/transactions'
import { z } from 'zod'
import {
  type account,
  type inventory,
  name,
  OrderRequest,
  type OrderView,
  type order,
  type PlacedOrder,
} from '../shared/contracts.ts'
import { HttpError, type HttpRequest, type Route } from './http.ts'
import { accepted, entering, known } from './intake.ts'
import type { InvariantReport } from './invariants.ts'

export interface GatewayParts {
  readonly database: SqlDatabase
  readonly queue: Queue<PlacedOrder>
  readonly idempotency: Idempotency
  readonly order: RpcClient<(typeof order)['procedures']>
  readonly inventory: RpcClient<(typeof inventory)['procedures']>
  readonly account: RpcClient<(typeof account)['procedures']>
  wallMs(): number
  invariants(): Promise<InvariantReport>
}

export function routes(parts: GatewayParts): readonly Route[] {
  return [
    {
      method: 'POST',
      path: /^\/api\/orders$/,
      answer: async (_, request) => ({ status: 202, body: await place(parts, request) }),
    },
    {
      method: 'GET',
      path: /^\/api\/orders\/([^/]+)$/,
      answer: async ([orderId = '']) => ({ status: 200, body: await readOrder(parts, orderId) }),
    },
    {
      method: 'GET',
      path: /^\/api\/inventory\/([^/]+)$/,
      answer: async ([sku = '']) => found(`sku "${sku}"`, await parts.inventory.level({ sku })),
    },
    {
      method: 'GET',
      path: /^\/api\/accounts\/([^/]+)$/,
      answer: async ([userId = '']) =>
        found(`account "${userId}"`, await parts.account.balance({ userId })),
    },
    {
      method: 'GET',
      path: /^\/api\/invariants$/,
      answer: async () => ({ status: 200, body: await parts.invariants() }),
    },
    {
      method: 'POST',
      path: /^\/api\/admin\/stock$/,
      answer: async (_, request) => {
        const { sku, quantity } = parse(StockRequest, request.body)
        const answer = await parts.inventory.restock({
          requestId: requestId(request),
          sku,
          quantity,
        })
        return { status: 200, body: answer }
      },
    },
    {
      method: 'POST',
      path: /^\/api\/admin\/accounts$/,
      answer: async (_, request) => {
        const { userId, balanceCents: amountCents } = parse(DepositRequest, request.body)
        const deposit = { requestId: requestId(request), userId, amountCents }
        return { status: 200, body: await parts.account.deposit(deposit) }
      },
    },
  ]
}

const StockRequest = z.object({ sku: name, quantity: z.number().int().min(1).max(1_000_000) })
const DepositRequest = z.object({
  userId: name,
  balanceCents: z.number().int().min(1).max(1_000_000_000),
})

/**
 * Accepting an order is one promise, made once per key: it stands in the intake, then durably in the
 * queue, and only then in the answer. The order's id follows from the key, so an attempt that was cut
 * short anywhere is finished by the next one and never makes a second order.
 */
async function place(parts: GatewayParts, request: HttpRequest): Promise<{ orderId: string }> {
  const { database, queue, idempotency, wallMs } = parts
  const key = keyOf(request)
  if (key === undefined) {
    throw new HttpError(400, 'missing-key', 'invalid', 'header Idempotency-Key is missing')
  }
  const asked = parse(OrderRequest, request.body)
  const orderId = `o-${hash(key).slice(0, 24)}`
  const once = {
    operation: 'POST /api/orders',
    fingerprint: hash(JSON.stringify(asked)),
    waitMs: 5_000,
    signal: request.signal,
  }
  const answer = await idempotency.run(key, once, async () => {
    await database.run({ statements: [entering(orderId, wallMs())] })
    await queue.send({ ...asked, orderId }, { id: orderId })
    await database.run({ statements: [accepted(orderId, wallMs())] })
    return { orderId }
  })
  if (answer.status === 'in-progress') {
    throw new HttpError(409, 'in-progress', 'unknown', 'a request with this key is under way')
  }
  return answer.response
}

async function readOrder({ database, order }: GatewayParts, orderId: string): Promise<OrderView> {
  const view = await order.read({ orderId: text(orderId) })
  if (view !== null) return view
  const { results } = await database.run({ mode: 'read', statements: [known(orderId)] })
  // Accepted, but no instance of the order service has taken it up yet.
  if ((results[0]?.rows.length ?? 0) > 0) return { orderId, status: 'pending', steps: [] }
  throw new HttpError(404, 'not-found', 'invalid', `there is no order "${orderId}"`)
}

function found(subject: string, body: unknown): { status: number; body: unknown } {
  if (body === null) throw new HttpError(404, 'not-found', 'invalid', `there is no ${subject}`)
  return { status: 200, body }
}

function keyOf(request: HttpRequest): string | undefined {
  const key = request.header('idempotency-key')
  if (key === undefined || key.trim() === '') return undefined
  if (key.length <= 200) return key
  throw new HttpError(
    400,
    'invalid-key',
    'invalid',
    'header Idempotency-Key is over 200 characters',
  )
}

/** Without a key every request is a new one. */
function requestId(request: HttpRequest): string {
  const key = keyOf(request)
  return key === undefined ? randomUUID() : hash(key).slice(0, 32)
}

function text(value: string): string {
  if (value.length <= 100) return value
  throw new HttpError(404, 'not-found', 'invalid', 'no id is that long')
}

function parse<Output>(schema: z.ZodType<Output>, body: unknown): Output {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue?.path.join('.') || 'body'
  throw new HttpError(400, 'malformed', 'invalid', `${where}: ${issue?.message}`)
}

function hash(content: string): string {
  return createHash('sha256').update(content).digest('hex')
}
