/**
 * The shop's public API.
 */
import { z } from 'zod'
import { name, OrderRequest } from '../shared/contracts.ts'
import { HttpError, type HttpRequest, type Route } from './http.ts'
import type { ShopApi } from './shop-api.ts'

export function routes(api: ShopApi): readonly Route[] {
  return [
    {
      method: 'POST',
      path: /^\/api\/orders$/,
      answer: async (_, request) => ({ status: 202, body: await place(api, request) }),
    },
    {
      method: 'GET',
      path: /^\/api\/orders\/([^/]+)$/,
      answer: async ([orderId = '']) => found(`order "${orderId}"`, await api.read(text(orderId))),
    },
    {
      method: 'GET',
      path: /^\/api\/inventory\/([^/]+)$/,
      answer: async ([sku = '']) => found(`sku "${sku}"`, await api.level(sku)),
    },
    {
      method: 'GET',
      path: /^\/api\/accounts\/([^/]+)$/,
      answer: async ([userId = '']) => found(`account "${userId}"`, await api.balance(userId)),
    },
    {
      method: 'GET',
      path: /^\/api\/invariants$/,
      answer: async () => ({ status: 200, body: await api.invariants() }),
    },
    {
      method: 'POST',
      path: /^\/api\/admin\/stock$/,
      answer: async (_, request) => {
        const delivery = parse(StockRequest, request.body)
        return { status: 200, body: await api.restock(delivery, keyOf(request)) }
      },
    },
    {
      method: 'POST',
      path: /^\/api\/admin\/accounts$/,
      answer: async (_, request) => {
        const { userId, balanceCents: amountCents } = parse(DepositRequest, request.body)
        const answer = await api.deposit({ userId, amountCents }, keyOf(request))
        return { status: 200, body: answer }
      },
    },
  ]
}

const StockRequest = z.object({ sku: name, quantity: z.number().int().min(1).max(1_000_000) })
const DepositRequest = z.object({
  userId: name,
  balanceCents: z.number().int().min(1).max(1_000_000_000),
})

async function place(api: ShopApi, request: HttpRequest): Promise<{ orderId: string }> {
  const key = keyOf(request)
  if (key === undefined) {
    throw new HttpError(400, 'missing-key', 'invalid', 'header Idempotency-Key is missing')
  }
  const answer = await api.place(parse(OrderRequest, request.body), key, request.signal)
  if (answer.status === 'accepted') return { orderId: answer.orderId }
  throw new HttpError(409, 'in-progress', 'unknown', 'a request with this key is under way')
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
