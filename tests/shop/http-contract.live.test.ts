/**
 * The shop's HTTP, line by line, as a stranger would try it: in good order, and not.
 */
import { createConnection } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OrderView, type RunningShop, shops, until } from './running-shop.ts'

interface Failure {
  readonly error: { readonly code: string; readonly message: string; readonly outcome: string }
}

const house = shops()
let shop: RunningShop
beforeAll(async () => {
  shop = await house.startShop()
}, 120_000)
afterAll(house.close, 60_000)

const order = { userId: 'u1', items: [{ sku: 'sku-001', quantity: 2 }] }
const place = (key: string, body: unknown) =>
  shop.post<{ orderId: string }>('/api/orders', body, { 'idempotency-key': key })

/** Every refusal has the same shape and says whether anything happened. */
async function refused(
  asked: Promise<{ readonly status: number; readonly body: unknown }>,
  status: number,
  outcome: 'invalid' | 'not-applied' = 'invalid',
): Promise<void> {
  const answer = await asked
  expect(answer.body).toEqual({
    error: {
      code: expect.stringMatching(/^[a-z-]+$/),
      message: expect.stringMatching(/./),
      outcome,
    },
  } satisfies Failure)
  expect(answer.status).toBe(status)
}

/** What comes back for bytes that no HTTP client would send. */
function raw(text: string): Promise<string> {
  const { hostname, port } = new URL(shop.url)
  return new Promise((resolve) => {
    const socket = createConnection(Number(port), hostname)
    let answer = ''
    socket.setEncoding('latin1').on('data', (piece) => {
      answer += piece
    })
    socket.on('error', () => {}).once('close', () => resolve(answer))
    socket.write(text, 'latin1')
  })
}

async function stillThere(): Promise<void> {
  expect((await shop.get('/healthz')).status).toBe(200)
  const processes = await shop.processes()
  expect(processes.filter(({ restarts, state }) => restarts > 0 || state !== 'ready')).toEqual([])
}

describe('in good order', () => {
  it('opens with full shelves and full purses', async () => {
    for (const sku of ['sku-001', 'sku-100']) {
      const { body } = await shop.get(`/api/inventory/${sku}`)
      expect(body).toEqual({ sku, available: 1_000, reserved: 0, sold: 0 })
    }
    for (const userId of ['u1', 'u100']) {
      const { body } = await shop.get(`/api/accounts/${userId}`)
      expect(body).toEqual({ userId, balanceCents: 1_000_000, heldCents: 0 })
    }
    await refused(shop.get('/api/inventory/sku-101'), 404)
    await refused(shop.get('/api/accounts/u101'), 404)
  })

  it('lists every process', async () => {
    const processes = await shop.processes()
    expect(processes.map(({ instance }) => instance)).toEqual([
      'inventory-1',
      'inventory-2',
      'account-1',
      'payment-1',
      'order-1',
      'order-2',
      'gateway-1',
    ])
    for (const entry of processes) {
      expect(entry).toEqual({
        instance: `${entry.service}-${entry.instance.split('-').at(-1)}`,
        service: expect.any(String),
        pid: expect.any(Number),
        state: 'ready',
        restarts: 0,
      })
    }
  })

  it('takes an order, carries it out, and answers the same for the same key (IK-1)', async () => {
    const [before, purse] = await Promise.all([
      shop.get<{ sold: number }>('/api/inventory/sku-007'),
      shop.get<{ balanceCents: number }>('/api/accounts/u7'),
    ])
    const body = { userId: 'u7', items: [{ sku: 'sku-007', quantity: 3 }] }
    const first = await place('good-order', body)
    expect(first.status).toBe(202)
    expect(first.body).toEqual({ orderId: expect.stringMatching(/./) })
    const again = await place('good-order', body)
    expect([again.status, again.body]).toEqual([202, first.body])

    const ended = await shop.untilEnded(first.body.orderId)
    expect(ended).toMatchObject({ orderId: first.body.orderId, status: 'confirmed' })
    expect(ended.steps.length).toBeGreaterThan(3)
    expect(new Set(ended.steps.map(({ state }) => state))).toEqual(new Set(['done']))
    const [after, left] = await Promise.all([
      shop.get<{ sold: number }>('/api/inventory/sku-007'),
      shop.get<{ balanceCents: number; heldCents: number }>('/api/accounts/u7'),
    ])
    expect(after.body.sold).toBe(before.body.sold + 3)
    expect(left.body).toEqual({
      userId: 'u7',
      balanceCents: purse.body.balanceCents - 3 * 170,
      heldCents: 0,
    })
  })

  it('makes one order of fifty requests with one key', async () => {
    const body = { userId: 'u8', items: [{ sku: 'sku-008', quantity: 1 }] }
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => place('fifty-at-once', body)),
    )
    const ids = answers.flatMap((answer) => (answer.status === 202 ? [answer.body.orderId] : []))
    expect(new Set(ids).size).toBe(1)
    for (const { status } of answers) expect([202, 409, 503]).toContain(status)
    await shop.untilEnded(ids[0] ?? '')
    expect((await shop.get('/api/inventory/sku-008')).body).toMatchObject({ sold: 1 })
  })

  it('rejects what cannot be, with a reason', async () => {
    const cases = [
      ['no-such-sku', { userId: 'u2', items: [{ sku: 'unicorn', quantity: 1 }] }],
      ['too-many', { userId: 'u2', items: [{ sku: 'sku-002', quantity: 1_001 }] }],
      ['no-such-user', { userId: 'nobody', items: [{ sku: 'sku-002', quantity: 1 }] }],
    ] as const
    for (const [key, body] of cases) {
      const { body: placed } = await place(key, body)
      const ended = await shop.untilEnded(placed.orderId)
      expect(ended).toMatchObject({ status: 'rejected', reason: expect.stringMatching(/./) })
    }
    const level = { sku: 'sku-002', available: 1_000, reserved: 0, sold: 0 }
    expect((await shop.get('/api/inventory/sku-002')).body).toEqual(level)
  })

  it('keeps its invariants', async () => {
    const { status, body } = await shop.get<{ ok: boolean; checks: { name: string }[] }>(
      '/api/invariants',
    )
    expect(status).toBe(200)
    expect(body).toMatchObject({ ok: true })
    expect(body.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['money-conserved', 'nothing-oversold', 'every-accepted-order-ends']),
    )
    for (const check of body.checks)
      expect(check).toMatchObject({ ok: true, detail: expect.any(String) })
  })

  it('takes stock and money, once per key', async () => {
    const stock = { sku: 'sku-new', quantity: 5 }
    const headers = { 'idempotency-key': 'delivery-1' }
    for (let times = 0; times < 2; times++) {
      const { status, body } = await shop.post('/api/admin/stock', stock, headers)
      expect([status, body]).toEqual([200, { sku: 'sku-new', available: 5, reserved: 0, sold: 0 }])
    }
    const money = { userId: 'new', balanceCents: 700 }
    const { body } = await shop.post('/api/admin/accounts', money)
    expect(body).toEqual({ userId: 'new', balanceCents: 700, heldCents: 0 })
    const orderId = await shop.order('buy-new', [{ sku: 'sku-new', quantity: 5 }], 'new')
    expect(await shop.untilEnded(orderId)).toMatchObject({ status: 'confirmed' })
    expect((await shop.get('/api/accounts/new')).body).toMatchObject({ balanceCents: 200 })
    expect((await shop.get('/api/invariants')).body).toMatchObject({ ok: true })
  })

  it('shows an order that nobody has taken up yet as pending, and none that is unknown', async () => {
    await refused(shop.get('/api/orders/o-unknown'), 404)
    const orderId = await shop.order('seen-at-once')
    const { status, body } = await shop.get<OrderView>(`/api/orders/${orderId}`)
    expect(status).toBe(200)
    expect(body.orderId).toBe(orderId)
  })
})

describe('bad orders', () => {
  const bad: readonly (readonly [string, unknown])[] = [
    ['no JSON', '{"userId":'],
    ['nothing', ''],
    ['null', 'null'],
    ['an array', []],
    ['no items', { userId: 'u1' }],
    ['empty items', { userId: 'u1', items: [] }],
    ['21 items', { userId: 'u1', items: Array.from({ length: 21 }, () => order.items[0]) }],
    ['a number as user', { ...order, userId: 7 }],
    ['an empty user', { ...order, userId: '' }],
    ['a NUL in the user', { ...order, userId: 'u\u0000' }],
    ['a long user', { ...order, userId: 'u'.repeat(101) }],
    ['half a surrogate pair', { userId: 'u1', items: [{ sku: '\ud800', quantity: 1 }] }],
    ['a line break in the sku', { userId: 'u1', items: [{ sku: 'a\nb', quantity: 1 }] }],
    ['text as quantity', { userId: 'u1', items: [{ sku: 'sku-001', quantity: '2' }] }],
    ['quantity 0', { userId: 'u1', items: [{ sku: 'sku-001', quantity: 0 }] }],
    ['quantity -1', { userId: 'u1', items: [{ sku: 'sku-001', quantity: -1 }] }],
    ['quantity 1.5', { userId: 'u1', items: [{ sku: 'sku-001', quantity: 1.5 }] }],
    ['quantity 1e300', { userId: 'u1', items: [{ sku: 'sku-001', quantity: 1e300 }] }],
  ]
  it.each(bad)('%s: 400, and the key stays free', async (name, body) => {
    const key = `bad-${name}`
    await refused(place(key, body), 400)
    expect((await place(key, order)).status).toBe(202)
  })

  it('no key, a blank key, a long key: 400', async () => {
    await refused(shop.post('/api/orders', order), 400)
    await refused(place('   ', order), 400)
    await refused(place('k'.repeat(201), order), 400)
    expect((await place('k'.repeat(200), order)).status).toBe(202)
  })

  it('the same key with another body: 422, and the first order stands (IK-2)', async () => {
    const first = await place('reused', order)
    await refused(place('reused', { ...order, userId: 'u2' }), 422)
    await refused(place('reused', { userId: 'u1', items: [{ sku: 'sku-001', quantity: 3 }] }), 422)
    expect((await place('reused', order)).body).toEqual(first.body)
  })

  it('a huge body: 413, and the connection is answered', async () => {
    await refused(place('huge', `{"userId":"${'u'.repeat(200_000)}"}`), 413)
    await refused(place('huger', `{"userId":"${'u'.repeat(8_000_000)}"}`), 413)
    await refused(
      shop.post('/api/processes/order-1/kill', `{"signal":"${'K'.repeat(500_000)}"}`),
      400,
    )
    await stillThere()
  })

  it('admin: wrong types and ranges: 400', async () => {
    await refused(shop.post('/api/admin/stock', { sku: 'sku-001', quantity: 0 }), 400)
    await refused(shop.post('/api/admin/stock', { sku: 'sku\u0000', quantity: 1 }), 400)
    await refused(shop.post('/api/admin/accounts', { userId: 'u1', balanceCents: -5 }), 400)
    await refused(shop.post('/api/admin/accounts', { userId: 'u1' }), 400)
  })
})

describe('bad paths, methods and origins', () => {
  it('malformed and hostile ids: 400 or 404, nothing dies', async () => {
    for (const id of ['%', '%zz', '%ED%A0%80', '%00', '%20', 'x'.repeat(101), '..%2f..%2fetc']) {
      for (const folder of ['orders', 'inventory', 'accounts']) {
        const answer = await shop.get(`/api/${folder}/${id}`)
        expect([400, 404], `/api/${folder}/${id}`).toContain(answer.status)
        await refused(Promise.resolve(answer), answer.status)
      }
    }
    await refused(shop.get('/api/nowhere'), 404)
    await stillThere()
  })

  it('wrong methods: 405', async () => {
    await refused(shop.get('/api/orders'), 405)
    await refused(shop.post('/api/inventory/sku-001', {}), 405)
    await refused(shop.post('/healthz', {}), 405)
    await refused(shop.get('/api/processes/order-1/kill'), 405)
    const deleted = await fetch(new URL('/api/processes', shop.url), { method: 'DELETE' })
    expect([deleted.status, deleted.headers.get('allow')]).toEqual([405, 'GET'])
    const head = await fetch(new URL('/healthz', shop.url), { method: 'HEAD' })
    expect(head.status).toBe(200)
  })

  it('kill: unknown instance 404, bad signal 400, malformed name 404', async () => {
    const kill = (instance: string, body: unknown) =>
      shop.post(`/api/processes/${instance}/kill`, body)
    await refused(kill('nobody-1', { signal: 'SIGKILL' }), 404)
    await refused(kill('%E0%A4%A', { signal: 'SIGKILL' }), 404)
    for (const body of [{ signal: 'SIGUSR1' }, { signal: 9 }, {}, 'not json', null]) {
      await refused(kill('order-1', body), 400)
    }
    await stillThere()
  })

  it('a page of another site can change nothing: 403', async () => {
    const kill = '/api/processes/order-1/kill'
    const body = { signal: 'SIGKILL' }
    const port = new URL(shop.url).port
    for (const origin of ['http://evil.example', 'null', `http://evil.example:${port}`]) {
      await refused(shop.post(kill, body, { origin }), 403, 'not-applied')
    }
    await refused(
      shop.post('/api/orders', order, { origin: 'http://e.example' }),
      403,
      'not-applied',
    )
    // A name made to point here (DNS rebinding) is its own origin, but not a name of this machine.
    const text = JSON.stringify(body)
    const rebound = await raw(
      `POST ${kill} HTTP/1.1\r\nHost: evil.example:${port}\r\nOrigin: http://evil.example:${port}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`,
    )
    expect(rebound).toMatch(/^HTTP\/1\.1 403 /)
    await stillThere()
  })

  it('bytes that are not HTTP, and clients that break off: nothing dies', async () => {
    expect(await raw('\u0000\u0001\u0002\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    expect(
      await raw('POST /api/orders HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\u0000b\r\n\r\n'),
    ).toMatch(/^HTTP\/1\.1 400 /)
    const { hostname, port } = new URL(shop.url)
    for (const path of ['/api/processes/order-1/kill', '/api/orders', '/api/admin/stock']) {
      await new Promise<void>((resolve) => {
        const socket = createConnection(Number(port), hostname, () => {
          const head = `POST ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Length: 99\r\n\r\n{`
          socket.write(head, () => socket.destroy())
        })
        socket.on('error', () => {}).once('close', () => resolve())
      })
    }
    await stillThere()
  })
})

it('QU-5: a full queue answers 429 with Retry-After, and goes on when there is room', async () => {
  const small = shops()
  try {
    const tiny = await small.startShop({ environment: { SHOP_WAITING_MAX: '4' } })
    const signal = (name: string) =>
      Promise.all(
        ['order-1', 'order-2'].map((instance) =>
          tiny.post(`/api/processes/${instance}/kill`, { signal: name }),
        ),
      )
    await signal('SIGSTOP')
    const send = (key: string) =>
      tiny.post<{ orderId: string }>('/api/orders', order, { 'idempotency-key': key })
    const answers = []
    for (let index = 0; index < 8; index++) answers.push(await send(`full-${index}`))
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 429, 429, 429, 429])
    const [, , , , full] = answers
    expect(Number(full?.headers.get('retry-after'))).toBeGreaterThan(0)
    await refused(send('full-9'), 429, 'not-applied')
    await signal('SIGCONT')
    const placed = await until('the queue to have room again', async () => {
      const answer = await send('full-7')
      return answer.status === 202 ? answer.body.orderId : undefined
    })
    await tiny.untilEnded(placed)
  } finally {
    await small.close()
  }
}, 120_000)
