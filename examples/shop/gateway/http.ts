/**
 * HTTP at the edge: turns requests into calls and outcomes into status codes, and nothing else.
 *
 * invalid → 400, 404 or 422 · not applied → 429 or 503 with Retry-After · unknown → 503: ask again with
 * the same Idempotency-Key.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isHoldfastError, outcomeOf } from 'holdfast/errors'

export interface HttpAnswer {
  readonly status: number
  readonly body: unknown
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** Matches the whole path; its groups are given to `answer`. */
  readonly path: RegExp
  answer(parts: readonly string[], request: HttpRequest): Promise<HttpAnswer>
}

export interface HttpRequest {
  /** The parsed body of a POST. */
  readonly body: unknown
  header(name: string): string | undefined
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
}

/** An answer that is not success, thrown from wherever it becomes clear. */
export class HttpError extends Error {
  readonly status: number
  readonly code: string
  readonly outcome: 'not-applied' | 'unknown' | 'invalid'

  constructor(status: number, code: string, outcome: HttpError['outcome'], message: string) {
    super(message)
    this.status = status
    this.code = code
    this.outcome = outcome
  }
}

const bodyBytesMax = 65_536
/** Of a body that is too long so much is read and dropped; then the connection is broken. */
const droppedBytesMax = 16_777_216
/** Requests in work at most; beyond that the client is asked to come back. */
const inWorkMax = 1_000

export async function httpServer(
  routes: readonly Route[],
): Promise<{ readonly address: string; close(): Promise<void> }> {
  let inWork = 0
  let closing = false
  const server = createServer((request, response) => {
    if (inWork >= inWorkMax) {
      sendError(
        response,
        new HttpError(503, 'overloaded', 'not-applied', 'too many requests in work'),
      )
      return
    }
    inWork += 1
    response.once('close', () => {
      inWork -= 1
      // A connection that is kept alive would keep the server open long after its last answer.
      if (closing) server.closeIdleConnections()
    })
    void serve(routes, request, response)
  })
  server.keepAliveTimeout = 30_000
  const port = await listen(server)
  return {
    address: `127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        closing = true
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

async function serve(
  routes: readonly Route[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const matching = routes.filter((route) => route.path.test(path))
    const route = matching.find(({ method }) => method === request.method)
    if (matching.length === 0)
      throw new HttpError(404, 'not-found', 'invalid', `no such page: ${path}`)
    if (route === undefined) {
      throw new HttpError(
        405,
        'method-not-allowed',
        'invalid',
        `${request.method} is not allowed here`,
      )
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort(new Error('the client has gone')))
    const parts = (route.path.exec(path) ?? []).slice(1).map(decoded)
    const body = route.method === 'POST' ? await readBody(request) : undefined
    const header = (name: string): string | undefined => request.headers[name]?.toString()
    const answer = await route.answer(parts, { body, header, signal: gone.signal })
    send(response, answer.status, answer.body)
  } catch (error) {
    sendError(response, error)
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new HttpError(400, 'invalid-path', 'invalid', `"${part}" is not a valid part of a path`)
  }
}

/** Read to its end even if it is too long: leaving early would break the connection, unanswered. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > droppedBytesMax) throw new Error('the body does not end')
    if (size <= bodyBytesMax) chunks.push(chunk)
  }
  if (size > bodyBytesMax) {
    throw new HttpError(413, 'too-large', 'invalid', `body is over ${bodyBytesMax} bytes`)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new HttpError(400, 'malformed', 'invalid', 'body is not JSON')
  }
}

function sendError(response: ServerResponse, error: unknown): void {
  const { status, code, outcome, message } = describe(error)
  const headers: Record<string, string> =
    status === 429 || status === 503 || status === 409 ? { 'retry-after': '1' } : {}
  send(response, status, { error: { code, message, outcome } }, headers)
}

function describe(error: unknown): Pick<HttpError, 'status' | 'code' | 'outcome' | 'message'> {
  if (error instanceof HttpError) return error
  const message = error instanceof Error ? error.message : String(error)
  const outcome = outcomeOf(error)
  if (!isHoldfastError(error)) return { status: 500, code: 'internal', outcome, message }
  const { code } = error
  if (code === 'key-reused') return { status: 422, code, outcome, message }
  if (code === 'limit-exceeded') return { status: 429, code, outcome, message }
  return { status: outcome === 'invalid' ? 400 : 503, code, outcome, message }
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers })
  response.end(JSON.stringify(body))
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}
