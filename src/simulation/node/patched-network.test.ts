/** A server and a client of `node:http` that know nothing of us, on two machines with a network between. */
import dgram from 'node:dgram'
import http from 'node:http'
import net from 'node:net'
import { describe, expect, it } from 'vitest'
import { expectClean, simulate } from '../../testing/index.ts'
import { patched } from './index.ts'

/** Counts up by POST. */
async function serve(): Promise<void> {
  let count = 0
  const server = http.createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      count += Number(body)
      setTimeout(() => response.end(JSON.stringify({ count, at: new Date().toISOString() })), 50)
    })
  })
  await new Promise<void>((resolve) => server.listen(80, resolve))
  await new Promise(() => {})
}

function post(body: string): Promise<{ readonly text: string; readonly date: string | undefined }> {
  return new Promise((resolve, reject) => {
    const request = http.request('http://server:80/count', { method: 'POST' }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve({ text, date: response.headers.date }))
      response.on('error', reject)
    })
    request.setTimeout(1_000, () => request.destroy(new Error('timed out')))
    request.on('error', reject)
    request.end(body)
  })
}

const soon = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('node:http in a world', () => {
  it('carries requests and answers, in virtual time, the same for the same seed', async () => {
    const answers: string[] = []
    const report = await simulate({ seeds: 3, twiceEvery: 1 }, (world) => {
      world.machine('server').process('http', patched(serve))
      const calls = async (): Promise<void> => {
        await soon(10)
        for (let call = 0; call < 5; call++) {
          const { text, date } = await post(String(call))
          answers.push(text)
          expect(date).toMatch(/2030/)
        }
      }
      world.client('client', patched(calls))
    })
    expectClean(report, 3)
    expect(answers.map((text) => JSON.parse(text).count).slice(0, 5)).toEqual([0, 1, 3, 6, 10])
    expect(answers[0]).toContain('2030-01-01T00:00:00')
  })

  it('breaks as networks do: the same seed breaks in the same way', async () => {
    let failed = 0
    let answered = 0
    const options = {
      seeds: 20,
      faults: ['kill', 'partition', 'stream-break'],
      twiceEvery: 1,
    } as const
    const report = await simulate({ ...options, durationMs: 5_000 }, (world) => {
      world.machine('server').process('http', patched(serve))
      const calls = async (): Promise<void> => {
        for (let call = 0; call < 20; call++) {
          await soon(200)
          await post('1').then(
            () => answered++,
            () => failed++,
          )
        }
      }
      world.client('client', patched(calls))
    })
    expectClean(report, 5)
    expect(failed).toBeGreaterThan(20)
    expect(answered).toBeGreaterThan(100)
  })

  it('plain sockets too, and a port where nobody listens refuses', async () => {
    const seen: string[] = []
    const report = await simulate({}, (world) => {
      const echo = async (): Promise<void> => {
        net.createServer((socket) => socket.pipe(socket)).listen(7)
        await new Promise(() => {})
      }
      world.machine('server').process('echo', patched(echo))
      const talk = async (): Promise<void> => {
        await soon(10)
        const socket = net.connect(7, 'server', () => socket.end('hello'))
        socket.on('data', (bytes) => seen.push(String(bytes)))
        await new Promise((resolve) => socket.on('close', resolve))
        const refused = net.connect({ port: 9, host: 'server' })
        await new Promise((resolve) => refused.on('error', resolve))
        seen.push('refused')
      }
      world.client('client', patched(talk))
    })
    expectClean(report)
    expect([seen.slice(0, -1).join(''), seen.at(-1)]).toEqual(['hello', 'refused'])
  })

  it('sockets that are made first and connected then', async () => {
    const seen: unknown[] = []
    const report = await simulate({}, (world) => {
      const echo = async (): Promise<void> => {
        net.createServer((socket) => socket.pipe(socket)).listen({ port: 7, host: '0.0.0.0' })
        await new Promise(() => {})
      }
      world.machine('server').process('echo', patched(echo))
      const talk = async (): Promise<void> => {
        await soon(10)
        const socket = new net.Socket()
        seen.push(socket.connecting)
        socket.setEncoding('utf8')
        socket.connect({ port: 7, host: 'server' }, () => socket.end('hello'))
        for await (const text of socket) seen.push(text)
        seen.push(socket.bytesWritten, socket.bytesRead, socket.remotePort)
        expect(() => new net.Socket().connect('/tmp/pipe')).toThrow('no pipes')
      }
      world.client('client', patched(talk))
    })
    expectClean(report)
    expect(seen).toEqual([true, 'hello', 5, 5, 7])
  })

  it('a class of sockets that was taken before is refused, and works again outside', async () => {
    class Early extends net.Socket {}
    const report = await simulate({}, (world) => {
      world.client(
        'client',
        patched(async () => void new Early().connect(7, 'server')),
      )
    })
    expect(report.failures[0]).toMatchObject({ name: 'nondeterminism' })
    expect(report.failures[0]?.message).toContain('before its library is loaded')
    expect(new Early()).toBeInstanceOf(net.Socket)
  })
})

describe('node:dgram in a world', () => {
  async function answers(options: object = {}): Promise<readonly string[]> {
    const heard: string[] = []
    const report = await simulate({ twiceEvery: 1, durationMs: 4_000, ...options }, (world) => {
      heard.length = 0
      const serve = async (): Promise<void> => {
        const socket = dgram.createSocket('udp4')
        socket.on('message', (bytes, { address, port }) => {
          socket.send(`${bytes} from ${address}`, port, address)
        })
        await new Promise<void>((resolve) => socket.bind(53, resolve))
        await new Promise(() => {})
      }
      world.machine('server').process('dns', patched(serve))
      const ask = async (): Promise<void> => {
        const socket = dgram.createSocket({ type: 'udp4' }, (bytes, { port }) => {
          heard.push(`${bytes} ${port}`)
        })
        for (let turn = 0; turn < 20; turn++) {
          const bytes = Buffer.from(`<${turn}>`)
          await new Promise((sent) => socket.send(bytes, 1, bytes.length - 2, 53, 'server', sent))
          await soon(100)
        }
        expect(socket.address().port).toBeGreaterThan(0)
        expect(() => socket.setBroadcast(true)).toThrow('no setBroadcast()')
        socket.close()
      }
      world.client('client', patched(ask))
    })
    expect(report.failures).toEqual([])
    return heard
  }

  it('carries messages both ways', async () => {
    const heard = await answers()
    expect(heard).toHaveLength(20)
    expect(heard.at(-1)).toBe('19 from client 53')
  })

  it('loses them as the world does', async () => {
    const { length } = await answers({ firstSeed: 3, faults: ['datagram-loss', 'partition'] })
    expect(length).toBeGreaterThan(0)
    expect(length).toBeLessThan(20)
  })
})
