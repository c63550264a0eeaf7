/**
 * Programs nobody wrote for us, in a world: an Express server that counts visits in a Redis by ioredis, and
 * a WebSocket server of ws; called by `fetch` and a WebSocket. The Redis is thirty lines of `node:net`.
 * Prints what came out as one line of JSON. Runs where the libraries are installed: the first argument says
 * where `holdfast` is.
 */
import { createRequire } from 'node:module'
import net from 'node:net'

const require = createRequire(`${process.cwd()}/program.js`)
const { patched, simulate } = await import(process.argv[2])

const forever = () => new Promise(() => {})
const soon = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function redis() {
  const counts = new Map()
  const answers = {
    info: () => '$20\r\nredis_version:7.0.0\n\r\n',
    incr(name) {
      counts.set(name, (counts.get(name) ?? 0) + 1)
      return `:${counts.get(name)}\r\n`
    },
  }
  const server = net.createServer((socket) => {
    let text = ''
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      text += chunk
      // A command is "*2 $4 incr $6 visits", each on a line; none here holds a line break.
      for (let lines = text.split('\r\n'); ; lines = text.split('\r\n')) {
        const wanted = 1 + 2 * Number(lines[0]?.slice(1))
        if (!(lines.length > wanted)) return
        const [command, ...rest] = lines.slice(1, wanted).filter((_, at) => at % 2 === 1)
        text = lines.slice(wanted).join('\r\n')
        socket.write(answers[command.toLowerCase()]?.(...rest) ?? '+OK\r\n')
      }
    })
  })
  server.listen(6379)
  await forever()
}

async function web() {
  const express = require('express')
  const { Redis } = require('ioredis')
  const client = new Redis({ host: 'redis', port: 6379, maxRetriesPerRequest: 2 })
  client.on('error', () => {})
  const app = express()
  app.use(express.json())
  app.post('/visits', async (request, response) => {
    response.json({ visits: await client.incr('visits'), name: request.body.name })
  })
  app.use((error, _request, response, _next) => response.status(503).json(error.message))
  app.listen(80)
  const { WebSocketServer } = require('ws')
  const sockets = new WebSocketServer({ port: 81 })
  sockets.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.on('message', (message) => socket.send(`you said ${message}`))
  })
  await forever()
}

/** Twenty visits, one after the other; then a word over a WebSocket. */
async function visitor(seen, world) {
  await soon(500)
  for (let visit = 1; visit <= 20; visit++) {
    const asked = fetch('http://web/visits', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: `visit ${visit}` }),
      signal: AbortSignal.timeout(1_000),
    })
    await asked
      .then(async (answer) => ({ ok: answer.ok, body: await answer.json() }))
      .then(
        ({ ok, body }) => {
          seen[ok ? 'served' : 'refused']++
          if (ok && seen.last < body.visits) seen.last = body.visits
          world.committed()
        },
        () => seen.failed++,
      )
    await soon(200)
  }
  const { WebSocket } = require('ws')
  const socket = new WebSocket('ws://web:81')
  socket.on('error', () => {})
  await new Promise((resolve) => {
    socket.on('open', () => socket.send('hello'))
    socket.on('message', (message) => {
      seen.heard.add(String(message))
      socket.close()
    })
    socket.on('close', resolve)
  })
}

async function trial(options) {
  const seen = { served: 0, refused: 0, failed: 0, last: 0, heard: new Set() }
  const report = await simulate({ ...options, twiceEvery: 1 }, (world) => {
    world.machine('redis').process('redis', patched(redis))
    world.machine('web').process('web', patched(web), { mayThrow: true })
    world.client(
      'visitor',
      patched(() => visitor(seen, world)),
    )
  })
  const { traceHash, events, seedsThatCount } = report
  const failures = report.failures.map(({ name, message }) => `${name}: ${message}`)
  return { ...seen, heard: [...seen.heard], traceHash, events, seedsThatCount, failures }
}

const calm = await trial({ seeds: 2 })
const faults = ['kill', 'partition', 'stream-break', 'pause']
const stormy = await trial({ seeds: 6, faults, durationMs: 8_000 })
process.stdout.write(JSON.stringify({ calm, stormy }), () => process.exit())
