/**
 * The public port of `holdfast up`: health, the list of processes and the power to kill one, the
 * console, and everything else passed to the front service.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { consoleOf } from '../../console/server/index.ts'
import { ConfigurationError } from '../../errors.ts'
import { frontProxy } from './front-proxy.ts'
import { answerError } from './http-answers.ts'
import type { Plan } from './plan.ts'
import { processApi } from './process-api.ts'
import type { Supervisor } from './supervisor.ts'

export interface Front {
  /** `host:port`, the real port even if 0 was asked for. */
  readonly address: string
  close(): Promise<void>
}

/** @throws {ConfigurationError} the port cannot be had. */
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
    view: async () => {
      const snapshots = await supervisor.snapshots(400)
      // Looked at last: nothing that is shown has begun after it.
      return { name: plan.name, nowMs: Date.now(), processes: supervisor.statuses(), snapshots }
    },
  })
  supervisor.subscribe(console.refresh)
  const processes = processApi(supervisor)
  let closing = false
  const server = createServer((request, response) => {
    response.once('close', () => {
      if (closing) server.closeIdleConnections()
    })
    if (!fromHere(request, host)) {
      const message = 'requests from other sites are refused'
      return answerError(response, 403, { code: 'cross-origin', message, outcome: 'not-applied' })
    }
    if (processes.answer(request, response) || console.answer(request, response)) return
    return proxy.pass(request, response)
  })
  await listening(server, host, port)
  const bound = server.address()
  const realPort = typeof bound === 'object' && bound !== null ? bound.port : port
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${realPort}`,
    async close() {
      closing = true
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

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/

/**
 * The port can kill processes, so a page of another site must not reach it: a request that a browser
 * sent from elsewhere names its origin. A page whose own name was made to point at this machine (DNS
 * rebinding) is of the same origin, but its name is not one of this machine's.
 */
function fromHere({ method, headers }: IncomingMessage, listensOn: string): boolean {
  const { origin, host = '' } = headers
  const changes = method !== 'GET' && method !== 'HEAD'
  const local = loopback.test(listensOn) || listensOn === '::1'
  if (changes && local && !loopback.test(host)) return false
  if (origin === undefined) return true
  try {
    return new URL(origin).host === host
  } catch {
    return false
  }
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE'
          ? 'is taken; stop whoever has it, or choose another with --port (0 takes any free one)'
          : `cannot be had: ${cause.message}`
      reject(new ConfigurationError(`port ${port} on ${host} ${why}`, { cause }))
    })
    server.listen(port, host, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}
