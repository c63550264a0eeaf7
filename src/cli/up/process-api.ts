/**
 * The supervisor over HTTP: is everything ready, who runs, and the power to kill one. Whatever a client
 * sends, or however it leaves, is answered or dropped here: nothing of it may reach the supervisor.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerError, answerJson, readJson } from './http-answers.ts'
import type { Supervisor } from './supervisor.ts'

const signals = ['SIGKILL', 'SIGTERM', 'SIGSTOP', 'SIGCONT'] as const
type AllowedSignal = (typeof signals)[number]

const bodyBytesMax = 1_024

export interface ProcessApi {
  /** Answers if the path is one of ours. @returns whether it was. */
  answer(request: IncomingMessage, response: ServerResponse): boolean
}

interface Route {
  readonly path: RegExp
  readonly method: 'GET' | 'POST'
  answer(request: IncomingMessage, response: ServerResponse, part: string): Promise<void> | void
}

export function processApi(supervisor: Supervisor): ProcessApi {
  const routes: readonly Route[] = [
    {
      path: /^\/healthz$/,
      method: 'GET',
      answer(_, response) {
        const ready = supervisor.allReady()
        answerJson(response, ready ? 200 : 503, { ready }, ready ? {} : { 'retry-after': '1' })
      },
    },
    {
      path: /^\/api\/processes$/,
      method: 'GET',
      answer(_, response) {
        const listed = supervisor.statuses().map(({ instance, service, pid, state, restarts }) => {
          return { instance, service, pid, state, restarts }
        })
        answerJson(response, 200, listed)
      },
    },
    {
      path: /^\/api\/processes\/([^/]+)\/kill$/,
      method: 'POST',
      answer: (request, response, part) => kill(supervisor, part, request, response),
    },
  ]
  return {
    answer(request, response) {
      const path = (request.url ?? '/').split('?')[0] ?? '/'
      const route = routes.find((each) => each.path.test(path))
      if (route === undefined) return false
      const method = request.method === 'HEAD' ? 'GET' : request.method
      if (method !== route.method) {
        const message = `${request.method} is not allowed here; use ${route.method}`
        const error = { code: 'method-not-allowed', message, outcome: 'invalid' } as const
        answerError(response, 405, error, { allow: route.method })
        return true
      }
      const [, part = ''] = route.path.exec(path) ?? []
      // It fails only if the client breaks off while it sends.
      Promise.resolve(route.answer(request, response, part)).catch(() => response.destroy())
      return true
    },
  }
}

async function kill(
  supervisor: Supervisor,
  part: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readJson(request, bodyBytesMax)
  const asked =
    typeof body === 'object' && body !== null && 'signal' in body ? body.signal : undefined
  const signal = signals.find((allowed): allowed is AllowedSignal => allowed === asked)
  if (signal === undefined) {
    const message = `signal is ${JSON.stringify(asked)}; expected one of ${signals.join(', ')}`
    return answerError(response, 400, { code: 'invalid-argument', message, outcome: 'invalid' })
  }
  const name = decoded(part)
  const instance = name === undefined ? undefined : supervisor.find(name)
  if (instance === undefined) {
    const message = `there is no instance "${name ?? part}"`
    return answerError(response, 404, { code: 'not-found', message, outcome: 'invalid' })
  }
  const { pid } = instance.status()
  if (!instance.signal(signal)) {
    const message = `instance "${name}" is not running`
    return answerError(response, 409, { code: 'not-running', message, outcome: 'not-applied' })
  }
  return answerJson(response, 200, { instance: name, signal, pid })
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
