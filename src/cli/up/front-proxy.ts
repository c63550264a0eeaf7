/**
 * Passes requests to the instances of the plan's front service, in turn, so that the public port
 * outlives every one of them. A request is never sent twice: after a broken connection only the
 * client knows whether repeating is safe, so it is told that the outcome is unknown.
 */
import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { answerError } from './http-answers.ts'

/** Headers that belong to one connection (RFC 9110, section 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Longest wait for an answer: an instance that is paused must not hold clients for ever. */
const answerMaxMs = 15_000
/** Requests under way at most; beyond that clients are asked to come back. */
const underWayMax = 512

export interface FrontProxy {
  pass(request: IncomingMessage, response: ServerResponse): void
  close(): void
}

export function frontProxy(addresses: () => readonly string[]): FrontProxy {
  const agent = new Agent({ keepAlive: true, maxSockets: underWayMax })
  let turn = 0
  let underWay = 0
  return {
    close: () => agent.destroy(),
    pass(request, response) {
      const ready = addresses()
      const address = ready[turn++ % Math.max(1, ready.length)]
      if (address === undefined) {
        const message = 'no instance of the front service is ready; try again'
        answerError(response, 503, { code: 'unavailable', message, outcome: 'not-applied' })
        return
      }
      if (underWay >= underWayMax) {
        const message = `${underWayMax} requests are under way; try again`
        answerError(response, 503, { code: 'overloaded', message, outcome: 'not-applied' })
        return
      }
      underWay += 1
      response.once('close', () => {
        underWay -= 1
      })
      forward(agent, address, request, response)
    },
  }
}

function forward(
  agent: Agent,
  address: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const [host, port] = address.split(':')
  const { method, url: path, headers } = request
  const passed = httpRequest({ agent, host, port, method, path, headers: endToEnd(headers) })
  passed.setTimeout(answerMaxMs, () => passed.destroy(new Error('no answer in time')))
  passed.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers))
    answer.pipe(response)
    answer.on('error', () => response.destroy())
  })
  passed.on('error', (error: NodeJS.ErrnoException) => {
    if (response.headersSent) return response.destroy()
    const refused = error.code === 'ECONNREFUSED'
    const message = `the instance that had the request is gone: ${error.message}`
    const outcome = refused ? 'not-applied' : 'unknown'
    return answerError(response, 503, { code: 'unavailable', message, outcome })
  })
  response.on('close', () => {
    if (!response.writableEnded) passed.destroy()
  })
  request.pipe(passed)
}

type Headers = Record<string, string | string[] | undefined>

function endToEnd(headers: Headers): Record<string, string | string[]> {
  const named = String(headers.connection ?? '').toLowerCase()
  const extra = new Set(named.split(',').map((name) => name.trim()))
  const kept: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !hopByHop.has(name) && !extra.has(name)) kept[name] = value
  }
  return kept
}
