/**
 * The few shapes in which `holdfast up` answers HTTP: JSON, and errors that say whether it happened.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Outcome } from '../../errors.ts'

export function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    ...headers,
  })
  response.end(JSON.stringify(body))
}

export function answerError(
  response: ServerResponse,
  status: number,
  error: { readonly code: string; readonly message: string; readonly outcome: Outcome },
  headers: Readonly<Record<string, string>> = {},
): void {
  const retry: Record<string, string> = status === 503 ? { 'retry-after': '1' } : {}
  answerJson(response, status, { error }, { ...retry, ...headers })
}

/** Of a body that is too long so much is read and dropped; then the connection is broken. */
const droppedBytesMax = 16_777_216

/**
 * The body as JSON. `undefined` if it is not JSON or longer than `bytesMax`. It is read to its end even
 * then: leaving early would break the connection, and the client would never see the answer.
 * @throws whatever the connection broke with.
 */
export async function readJson(request: IncomingMessage, bytesMax: number): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > droppedBytesMax) throw new Error('the body does not end')
    if (size <= bytesMax) chunks.push(chunk)
  }
  if (size > bytesMax) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return undefined
  }
}
