/** `fetch` in a world: a client and a server that know nothing of us. */
import http from 'node:http'
import { describe, expect, it } from 'vitest'
import { expectClean, simulate } from '../../testing/index.ts'
import { patched } from './index.ts'

/** Answers by path. */
async function serve(): Promise<void> {
  let count = 0
  const server = http.createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const body = Buffer.concat(pieces)
    const { url = '/', method, headers } = request
    if (url === '/echo') {
      response.setHeader('x-seen', [`${method}`, `${headers['content-type']}`])
      response.end(body)
    } else if (url === '/count') response.end(JSON.stringify({ count: ++count }))
    else if (url.startsWith('/go')) {
      const status = Number(url.slice(3))
      response.writeHead(status, { location: '/echo' }).end('elsewhere')
    } else if (url === '/round') response.writeHead(302, { location: '/round' }).end()
    else if (url === '/empty') response.writeHead(204).end()
    else if (url === '/gzip') response.writeHead(200, { 'content-encoding': 'gzip' }).end('x')
    else if (url === '/slow') setTimeout(() => response.end('late'), 5_000)
    else if (url === '/drip') {
      response.write('first ')
      setTimeout(() => response.end('second'), 1_000)
    } else if (url === '/break') {
      response.write('half')
      setTimeout(() => response.destroy(), 100)
    } else response.writeHead(404).end('nothing here')
  })
  server.listen(80)
  await new Promise(() => {})
}

const soon = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function seenBy<Seen>(client: () => Promise<Seen>): Promise<Seen> {
  let seen: Seen | undefined
  const report = await simulate({ twiceEvery: 1 }, (world) => {
    world.machine('server').process('http', patched(serve))
    const main = async (): Promise<void> => {
      await soon(10)
      seen = await client()
    }
    world.client('client', patched(main))
  })
  expectClean(report)
  return seen as Seen
}

const causeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'answered',
    ({ name, message, cause }) => `${name}: ${message}: ${cause?.message}`,
  )

describe('fetch in a world', () => {
  it('sends methods, headers and bodies, and reads answers as text, JSON and bytes', async () => {
    const seen = await seenBy(async () => {
      const headers = { 'content-type': 'text/x' }
      const posted = await fetch('http://server/echo', { method: 'POST', headers, body: 'käse' })
      const form = new URLSearchParams({ a: '1 2' })
      const put = await fetch(new Request('http://server:80/echo', { method: 'PUT', body: form }))
      const bytes = await fetch('http://server/echo', {
        method: 'POST',
        body: Uint8Array.of(0, 255),
      })
      const counted = await fetch('http://server/count')
      const absent = await fetch('http://server/absent')
      const empty = await fetch('http://server/empty')
      return {
        posted: [posted.status, posted.headers.get('x-seen'), await posted.text(), posted.url],
        put: [put.headers.get('x-seen'), await put.text()],
        bytes: [...new Uint8Array(await bytes.arrayBuffer())],
        counted: await counted.json(),
        date: counted.headers.get('date'),
        absent: [absent.ok, absent.status, absent.statusText, await absent.text()],
        empty: [empty.status, empty.body],
        real: posted instanceof Response,
      }
    })
    expect(seen).toEqual({
      posted: [200, 'POST, text/x', 'käse', 'http://server/echo'],
      put: ['PUT, application/x-www-form-urlencoded;charset=UTF-8', 'a=1+2'],
      bytes: [0, 255],
      counted: { count: 1 },
      date: 'Tue, 01 Jan 2030 00:00:00 GMT',
      absent: [false, 404, 'Not Found', 'nothing here'],
      empty: [204, null],
      real: true,
    })
  })

  it('follows redirects as asked, and changes the method as browsers do', async () => {
    const seen = await seenBy(async () => {
      const answers: unknown[] = []
      for (const status of [301, 302, 303, 307, 308]) {
        const answer = await fetch(`http://server/go${status}`, { method: 'POST', body: 'kept?' })
        answers.push([answer.redirected, answer.headers.get('x-seen'), await answer.text()])
      }
      const manual = await fetch('http://server/go302', { redirect: 'manual' })
      return {
        answers,
        manual: [manual.status, manual.headers.get('location')],
        refused: await causeOf(fetch('http://server/go302', { redirect: 'error' })),
        round: await causeOf(fetch('http://server/round')),
      }
    })
    const asGet = [true, 'GET, undefined', '']
    const asPost = [true, 'POST, text/plain;charset=UTF-8', 'kept?']
    expect(seen).toEqual({
      answers: [asGet, asGet, asGet, asPost, asPost],
      manual: [302, '/echo'],
      refused: 'TypeError: fetch failed: unexpected redirect',
      round: 'TypeError: fetch failed: redirect count exceeded',
    })
  })

  it('answers come as they come, end when aborted, and fail when they break', async () => {
    const seen = await seenBy(async () => {
      const startMs = Date.now()
      const drip = await fetch('http://server/drip')
      const headMs = Date.now() - startMs
      const text = await drip.text()
      const wholeMs = Date.now() - startMs
      const limit = AbortSignal.timeout(200)
      const late = await causeOf(fetch('http://server/slow', { signal: limit }))
      const stop = new AbortController()
      const dripping = await fetch('http://server/drip', { signal: stop.signal })
      setTimeout(() => stop.abort(new Error('enough')), 100)
      return {
        text,
        timely: headMs < 100 && wholeMs >= 1_000,
        late,
        stopped: await causeOf(dripping.text()),
        before: await causeOf(fetch('http://server/count', { signal: AbortSignal.abort('no') })),
        broken: await causeOf((await fetch('http://server/break')).text()),
        nobody: await causeOf(fetch('http://server:81/')),
        gzip: await causeOf(fetch('http://server/gzip')),
      }
    })
    expect(seen).toMatchObject({
      text: 'first second',
      timely: true,
      late: expect.stringContaining('TimeoutError'),
      stopped: expect.stringContaining('enough'),
      broken: expect.stringContaining('TypeError: terminated'),
      nobody: expect.stringMatching(/^TypeError: fetch failed: .*server:81/),
      gzip: 'TypeError: fetch failed: a simulated world decodes no answers in gzip',
    })
  })

  it('dies with its process, and the same seed breaks in the same way', async () => {
    let failed = 0
    let answered = 0
    const options = { seeds: 10, faults: ['kill', 'partition', 'stream-break'] } as const
    const report = await simulate({ ...options, twiceEvery: 1, durationMs: 5_000 }, (world) => {
      world.machine('server').process('http', patched(serve))
      const calls = async (): Promise<void> => {
        for (let call = 0; call < 20; call++) {
          await soon(200)
          const asked = fetch('http://server/count', { signal: AbortSignal.timeout(1_000) })
          await asked
            .then((answer) => answer.json())
            .then(
              () => answered++,
              () => failed++,
            )
        }
      }
      world.client('client', patched(calls))
    })
    expectClean(report, 3)
    expect(failed).toBeGreaterThan(10)
    expect(answered).toBeGreaterThan(100)
  })
})
