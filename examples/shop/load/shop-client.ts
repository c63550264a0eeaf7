/**
 * A patient client of the shop: it repeats a request under the same key while the answer is "not now" or
 * "unknown", because the key makes that safe.
 */
export interface OrderStatus {
  readonly orderId: string
  readonly status: 'pending' | 'confirmed' | 'rejected'
  readonly reason?: string
}

export interface Invariants {
  readonly ok: boolean
  readonly checks: readonly {
    readonly name: string
    readonly ok: boolean
    readonly detail: string
  }[]
}

export interface ShopClient {
  /** @returns the order's id, or `undefined` if it was turned down or time ran out. */
  place(
    order: unknown,
    key: string,
    endBy: number,
    retried: () => void,
  ): Promise<string | undefined>
  untilEnded(orderId: string, endBy: number): Promise<OrderStatus | undefined>
  invariants(endBy: number): Promise<Invariants | undefined>
  /** GET, once. @returns the JSON of a 200, else `undefined`. */
  read<Body>(path: string): Promise<Body | undefined>
  /** The steps that are running right now, of every order under way, as the console sees them. */
  runningSteps(): Promise<ReadonlySet<string>>
  /** The member that leads the cluster, by the name of its process; `undefined` if none is known. */
  leader(): Promise<string | undefined>
  /** POST, repeated until it is answered with a success. */
  post(path: string, body: unknown, endBy: number): Promise<void>
}

interface ConsoleView {
  readonly snapshots: Readonly<
    Record<
      string,
      Readonly<Record<string, unknown>> & {
        readonly sagas?: {
          readonly running: readonly {
            readonly steps: readonly { readonly name: string; readonly status: string }[]
          }[]
        }
      }
    >
  >
}

interface RaftPart {
  readonly role: string
  readonly term: number
}

const pauseMs = 200

export function shopClient(url: string): ShopClient {
  const pause = (times = 1): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, times * pauseMs * (0.5 + Math.random())))

  async function ask(path: string, init?: RequestInit): Promise<Response | undefined> {
    const signal = AbortSignal.timeout(20_000)
    return fetch(new URL(path, url), { ...init, signal }).catch(() => undefined)
  }

  return {
    async read(path) {
      const response = await ask(path)
      return response?.status === 200 ? response.json().catch(() => undefined) : undefined
    },
    async runningSteps() {
      const { snapshots } = await look(url)
      const open = Object.values(snapshots).flatMap(({ sagas }) => sagas?.running ?? [])
      const steps = open.flatMap((saga) => saga.steps)
      return new Set(steps.filter(({ status }) => status === 'running').map(({ name }) => name))
    },
    async leader() {
      const { snapshots } = await look(url)
      const members = Object.entries(snapshots).flatMap(([instance, published]) => {
        const part = published[`raft/${instance}`] as RaftPart | undefined
        return part?.role === 'leader' ? [{ instance, term: part.term }] : []
      })
      return members.sort((left, right) => right.term - left.term)[0]?.instance
    },
    async post(path, body, endBy) {
      const headers = { 'content-type': 'application/json' }
      while (performance.now() < endBy) {
        const response = await ask(path, { method: 'POST', headers, body: JSON.stringify(body) })
        if (response?.ok === true) return
        await pause()
      }
    },
    async place(order, key, endBy, retried) {
      while (performance.now() < endBy) {
        const headers = { 'content-type': 'application/json', 'idempotency-key': key }
        const init = { method: 'POST', headers, body: JSON.stringify(order) }
        const response = await ask('/api/orders', init)
        const body = await response?.json().catch(() => undefined)
        if (response?.status === 202 && body !== undefined) return body.orderId
        if (response !== undefined && [400, 404, 422].includes(response.status)) return undefined
        retried()
        await pause()
      }
      return undefined
    },
    async untilEnded(orderId, endBy) {
      for (let looks = 1; performance.now() < endBy; looks++) {
        const response = await ask(`/api/orders/${orderId}`)
        const body = await response?.json().catch(() => undefined)
        if (response?.status === 200 && body !== undefined && body.status !== 'pending') return body
        // Looking often at what takes long would be a load of its own.
        await pause(Math.min(5, looks))
      }
      return undefined
    },
    async invariants(endBy) {
      while (performance.now() < endBy) {
        const response = await ask('/api/invariants')
        if (response?.status === 200) return response.json()
        await pause()
      }
      return undefined
    },
  }
}

async function look(url: string): Promise<ConsoleView> {
  const text = await firstView(new URL('/api/console/stream', url)).catch(() => undefined)
  return text === undefined ? { snapshots: {} } : (JSON.parse(text) as ConsoleView)
}

/** The first event of a stream of server-sent events. */
async function firstView(url: URL): Promise<string | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) })
  let text = ''
  const decoder = new TextDecoder()
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true })
    const [, data] = /^data: (.*)\n\n/m.exec(text) ?? []
    if (data !== undefined) return data
  }
  return undefined
}
