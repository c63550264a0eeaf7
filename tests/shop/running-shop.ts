/**
 * The shop as a stranger runs it: one command, one port, one folder. Every process is known by its id, so
 * that nothing outlives a test.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const projectFolder: string = fileURLToPath(new URL('../..', import.meta.url))
const startMaxMs = 90_000
export const shopPlan: string = join(projectFolder, 'build/shop/company.js')

export interface ProcessEntry {
  readonly instance: string
  readonly service: string
  readonly pid: number | null
  readonly state: string
  readonly restarts: number
}

export interface Answer<Body = unknown> {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
}

export interface OrderView {
  readonly orderId: string
  readonly status: 'pending' | 'confirmed' | 'rejected'
  readonly reason?: string
  readonly steps: readonly {
    readonly name: string
    readonly state: string
    readonly attempts: number
  }[]
}

export interface RunningShop {
  readonly url: string
  readonly pid: number
  readonly dataFolder: string
  /** Everything it printed, for when a test fails. */
  output(): string
  get<Body = unknown>(path: string): Promise<Answer<Body>>
  post<Body = unknown>(
    path: string,
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<Body>>
  /** Places one order, repeating under the same key while the answer is "not now". */
  order(key: string, items?: readonly unknown[], userId?: string): Promise<string>
  untilEnded(orderId: string): Promise<OrderView>
  processes(): Promise<readonly ProcessEntry[]>
  signal(name: NodeJS.Signals): void
  readonly gone: Promise<{ readonly code: number | null; readonly signal: string | null }>
}

export interface ShopStart {
  readonly dataFolder?: string
  readonly flags?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly plan?: string
}

export interface Shops {
  /** Removed at the end. */
  freshFolder(): string
  /** Runs `holdfast up`, and promises nothing about it. */
  startUp(start: ShopStart & { readonly plan: string }): UpProcess
  /** Resolves when the shop is ready. */
  startShop(start?: ShopStart): Promise<RunningShop>
  /** Stops what was started and removes its folders. For `afterEach` or `afterAll`. */
  close(): Promise<void>
}

export interface UpProcess {
  readonly child: ChildProcess
  output(): string
  readonly gone: RunningShop['gone']
}

export function shops(): Shops {
  const closers: (() => Promise<void> | void)[] = []

  function freshFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
    closers.push(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }

  function startUp(start: ShopStart & { readonly plan: string }): UpProcess {
    const { dataFolder = freshFolder(), flags = [], environment = {}, plan } = start
    const cli = join(projectFolder, 'dist/cli/main.js')
    const all = [cli, 'up', plan, '--port', '0', '--data', dataFolder, ...flags]
    const child = spawn(process.execPath, all, {
      cwd: projectFolder,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const text: string[] = []
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (piece: string) => void text.push(piece))
    }
    const gone = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
      child.once('exit', (code, signal) => resolve({ code, signal })),
    )
    closers.push(async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const hammer = setTimeout(() => child.kill('SIGKILL'), 30_000)
      await gone
      clearTimeout(hammer)
    })
    return { child, output: () => text.join(''), gone }
  }

  async function startShop(start: ShopStart = {}): Promise<RunningShop> {
    const { dataFolder = freshFolder(), plan = shopPlan } = start
    const running = startUp({ ...start, dataFolder, plan })
    const { child, output } = running
    const url = await until(
      'the shop to be ready',
      () => {
        if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}:\n${output()}`)
        return /is ready: (\S+)/.exec(output())?.[1]
      },
      startMaxMs,
    )
    return shopAt(url, dataFolder, running)
  }

  return {
    freshFolder,
    startUp,
    startShop,
    async close() {
      for (const close of closers.splice(0).reverse()) await close()
    },
  }
}

function shopAt(url: string, dataFolder: string, { child, output, gone }: UpProcess): RunningShop {
  const ask = async <Body>(path: string, init: RequestInit = {}): Promise<Answer<Body>> => {
    const response = await fetch(new URL(path, url), init)
    const body = (await response.json().catch(() => undefined)) as Body
    return { status: response.status, headers: response.headers, body }
  }
  const get = <Body>(path: string): Promise<Answer<Body>> => ask<Body>(path)
  const post = <Body>(
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> =>
    ask<Body>(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  return {
    url,
    pid: child.pid ?? 0,
    dataFolder,
    output,
    gone,
    get,
    post,
    order: (key, items = [{ sku: 'sku-001', quantity: 1 }], userId = 'u1') =>
      until(`order ${key} to be accepted`, async () => {
        const asked = { userId, items }
        const answer = await post<{ orderId: string }>('/api/orders', asked, {
          'idempotency-key': key,
        }).catch(() => undefined)
        return answer?.status === 202 ? answer.body.orderId : undefined
      }),
    untilEnded: (orderId) =>
      until(`order ${orderId} to end`, async () => {
        const answer = await get<OrderView>(`/api/orders/${orderId}`).catch(() => undefined)
        return answer?.status === 200 && answer.body.status !== 'pending' ? answer.body : undefined
      }),
    processes: async () => (await get<readonly ProcessEntry[]>('/api/processes')).body,
    signal: (name) => void child.kill(name),
  }
}

/** Looks until `look` finds something. */
export async function until<Found>(
  what: string,
  look: () => Promise<Found | undefined> | Found | undefined,
  timeoutMs = 60_000,
): Promise<Found> {
  const endBy = performance.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > endBy) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** A process that has exited and waits to be reaped does not count as alive. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return false
  }
}
