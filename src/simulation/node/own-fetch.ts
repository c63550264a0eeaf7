/**
 * `fetch` for programs that know no `Runtime`. Node's own goes past `node:http`, where nobody can redirect
 * it; this one is a small client over `node:http`, which in a world goes over the simulated network. Its
 * requests, answers and headers are the real classes.
 *
 * Covered: methods, headers, bodies (a stream is read to its end before it is sent), answers as streams,
 * abort, redirects. Refused by name: `https:` and other schemes, compressed answers. Cookies, caches and
 * credentials do not exist, and `keepalive`, `integrity`, `mode` and their like are ignored.
 */
import http from 'node:http'

const redirectsMax = 20
const emptyStatuses: ReadonlySet<number> = new Set([101, 204, 205, 304])

interface Stop {
  readonly signal: AbortSignal
}

/** What is asked next: redirects change all of it. */
interface Ask {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array | undefined
}

/** @throws {TypeError} as the real one: `fetch failed`, with what happened as its cause. */
export async function ownFetch(
  input: string | URL | Request,
  init?: RequestInit,
): Promise<Response> {
  const request = new Request(input, init)
  // A `Request` hears of its caller's abort only while it is not collected: so his own signal, or all of it.
  const stop: Stop = init?.signal ? { signal: init.signal } : request
  stop.signal.throwIfAborted()
  const sent = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
  const { url, method, headers, redirect } = request
  let ask: Ask = { url: new URL(url), method, headers, body: sent }
  for (let redirects = 0; ; redirects++) {
    const answer = await once(ask, stop)
    const place = answer.headers.location
    const redirected = place !== undefined && [301, 302, 303, 307, 308].includes(statusOf(answer))
    if (!redirected || redirect === 'manual') return responseOf(answer, ask.url, redirects, stop)
    answer.resume()
    if (redirect === 'error') throw failed(new Error('unexpected redirect'))
    if (redirects === redirectsMax) throw failed(new Error('redirect count exceeded'))
    ask = next(ask, statusOf(answer), new URL(place, ask.url))
  }
}

function next({ method, headers, body }: Ask, status: number, url: URL): Ask {
  const becomesGet =
    (status === 303 && method !== 'HEAD') ||
    ((status === 301 || status === 302) && method === 'POST')
  if (!becomesGet) return { url, method, headers, body }
  const kept = new Headers(headers)
  for (const name of ['content-type', 'content-length', 'content-language']) kept.delete(name)
  return { url, method: 'GET', headers: kept, body: undefined }
}

function once(ask: Ask, stop: Stop): Promise<http.IncomingMessage> {
  const { url, method, body } = ask
  if (url.protocol !== 'http:') {
    throw failed(new Error(`a simulated world has no ${url.protocol} for fetch, only http:`))
  }
  const headers = new Headers(ask.headers)
  if (!headers.has('accept')) headers.set('accept', '*/*')
  if (!headers.has('user-agent')) headers.set('user-agent', 'node')
  if (body !== undefined || ['POST', 'PUT', 'PATCH'].includes(method)) {
    headers.set('content-length', String(body?.length ?? 0))
  }
  return new Promise((resolve, reject) => {
    const asked = http.request(url, { method, headers: Object.fromEntries(headers) })
    const aborted = (): void => {
      reject(stop.signal.reason)
      asked.destroy()
    }
    stop.signal.addEventListener('abort', aborted, { once: true })
    asked.on('response', (answer) => {
      stop.signal.removeEventListener('abort', aborted)
      resolve(answer)
    })
    asked.on('error', (error) => {
      stop.signal.removeEventListener('abort', aborted)
      reject(failed(error))
    })
    asked.end(body)
  })
}

function responseOf(
  answer: http.IncomingMessage,
  url: URL,
  redirects: number,
  stop: Stop,
): Response {
  const headers = new Headers()
  const { rawHeaders } = answer
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
  }
  const coding = headers.get('content-encoding') ?? 'identity'
  if (coding !== 'identity') {
    answer.destroy()
    throw failed(new Error(`a simulated world decodes no answers in ${coding}`))
  }
  const status = statusOf(answer)
  const empty = emptyStatuses.has(status)
  if (empty) answer.resume()
  const response = new Response(empty ? null : streamOf(answer, stop), {
    status,
    statusText: answer.statusMessage ?? '',
    headers,
  })
  Object.defineProperty(response, 'url', { value: url.href })
  Object.defineProperty(response, 'redirected', { value: redirects > 0 })
  return response
}

function streamOf(answer: http.IncomingMessage, stop: Stop): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      let over = false
      const end = (how: () => void): void => {
        if (over) return
        over = true
        stop.signal.removeEventListener('abort', aborted)
        how()
      }
      const aborted = (): void => {
        end(() => controller.error(stop.signal.reason))
        answer.destroy()
      }
      stop.signal.addEventListener('abort', aborted, { once: true })
      answer.on('data', (chunk: Buffer) => {
        if (over) return
        controller.enqueue(new Uint8Array(chunk))
        if ((controller.desiredSize ?? 0) <= 0) answer.pause()
      })
      answer.on('end', () => end(() => controller.close()))
      const broken = (cause?: unknown): void =>
        end(() => controller.error(new TypeError('terminated', { cause })))
      answer.on('error', broken)
      answer.on('close', () => broken())
    },
    pull: () => void answer.resume(),
    cancel: () => void answer.destroy(),
  })
}

function statusOf(answer: http.IncomingMessage): number {
  return answer.statusCode ?? 0
}

function failed(cause: unknown): TypeError {
  return new TypeError('fetch failed', { cause })
}
