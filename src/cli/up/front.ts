/**
 * The public port of `holdfast up`: health, the list of processes and the power to kill one, the
 * console, and everything else passed to the front service.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { consoleOf } from '../../console/server/index.ts'
import { frontProxy } from './front-proxy.ts'
import { answerError, answerJson, readJson } from './http-answers.ts'
import type { Plan } from './plan.ts'
import type { Supervisor } from './supervisor.ts'

const signals = ['SIGKILL', 'SIGTERM', 'SIGSTOP', 'SIGCONT'] as const
type AllowedSignal = (typeof signals)[number]

export interface Front {
  /** `host:port`, the real port even if 0 was asked for. */
  readonly address: string
  close(): Promise<void>
}

export async function openFront(
  supervisor: Supervisor,
  plan: Plan,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<Front> {
  const proxy = frontProxy(() =>
    supervisor
      .statuses()
      .filter(({ service, state }) => service === plan.front && state === 'ready')
      .flatMap(({ httpAddress }) => httpAddress ?? []),
  )
  const console = consoleOf({
    view: async () => ({
      name: plan.name,
      nowMs: Date.now(),
      processes: supervisor.statuses(),
      snapshots: await supervisor.snapshots(400),
    }),
  })
  supervisor.subscribe(console.refresh)
  const server = createServer((request, response) => {
    if (!sameOrigin(request)) {
      const message = 'requests from other sites are refused'
      return answerError(response, 403, { code: 'cross-origin', message, outcome: 'not-applied' })
    }
    if (ownAnswer(supervisor, request, response) || console.answer(request, response)) return
    return proxy.pass(request, response)
  })
  await listening(server, host, port)
  const bound = server.address()
  const realPort = typeof bound === 'object' && bound !== null ? bound.port : port
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${realPort}`,
    async close() {
      console.close()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const hammer = setTimeout(() => server.closeAllConnections(), 5_000)
      await closed
      clearTimeout(hammer)
      proxy.close()
    },
  }
}

/** @returns whether the request was one of ours. */
function ownAnswer(
  supervisor: Supervisor,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  if (request.method === 'GET' && path === '/healthz') {
    const ready = supervisor.allReady()
    answerJson(response, ready ? 200 : 503, { ready }, ready ? {} : { 'retry-after': '1' })
    return true
  }
  if (request.method === 'GET' && path === '/api/processes') {
    const listed = supervisor.statuses().map(({ instance, service, pid, state, restarts }) => {
      return { instance, service, pid, state, restarts }
    })
    answerJson(response, 200, listed)
    return true
  }
  const [, instance] = /^\/api\/processes\/([^/]+)\/kill$/.exec(path) ?? []
  if (request.method !== 'POST' || instance === undefined) return false
  void kill(supervisor, decodeURIComponent(instance), request, response)
  return true
}

async function kill(
  supervisor: Supervisor,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readJson(request, 1_024)
  const asked =
    typeof body === 'object' && body !== null && 'signal' in body ? body.signal : undefined
  const signal = signals.find((allowed): allowed is AllowedSignal => allowed === asked)
  if (signal === undefined) {
    const message = `signal is ${JSON.stringify(asked)}; expected one of ${signals.join(', ')}`
    return answerError(response, 400, { code: 'invalid-argument', message, outcome: 'invalid' })
  }
  const instance = supervisor.find(name)
  if (instance === undefined) {
    const message = `there is no instance "${name}"`
    return answerError(response, 404, { code: 'not-found', message, outcome: 'invalid' })
  }
  const { pid } = instance.status()
  if (!instance.signal(signal)) {
    const message = `instance "${name}" is not running`
    return answerError(response, 409, { code: 'not-running', message, outcome: 'not-applied' })
  }
  return answerJson(response, 200, { instance: name, signal, pid })
}

/**
 * The port can kill processes, so a page of another site must not reach it: a request that a browser
 * sent from elsewhere names its origin.
 */
function sameOrigin({ headers: { origin, host } }: IncomingMessage): boolean {
  if (origin === undefined) return true
  try {
    return new URL(origin).host === host
  } catch {
    return false
  }
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
