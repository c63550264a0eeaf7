// Unary echo of about 200 bytes: this process calls, one other process answers.
//
//   node bench/rpc-holdfast.mjs [--seconds 1.5] [--rounds 5]
//
// Beside Holdfast runs a floor: 4-byte length, JSON body, replies matched by order, one write per tick.
// It has no deadlines, ids, outcomes, limits or cancellation; it is what the machine can do. The two take
// turns, round after round, and the median round counts. Compare the two, never across machines.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { nodeRuntime } from 'holdfast/runtime/node'
import { procedure, rpcClient, rpcServer, service } from 'holdfast/services/rpc'

const { values: args, positionals } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1.5' },
    rounds: { type: 'string', default: '5' },
  },
  allowPositionals: true,
})

// ── the floor ──────────────────────────────────────────────────────────────────────────────────────

function framed(socket, onMessage) {
  let rest = Buffer.alloc(0)
  let out = []
  socket.setNoDelay(true)
  socket.on('data', (data) => {
    rest = rest.length > 0 ? Buffer.concat([rest, data]) : data
    let at = 0
    while (rest.length - at >= 4 && rest.length - at - 4 >= rest.readUInt32BE(at)) {
      const size = rest.readUInt32BE(at)
      onMessage(JSON.parse(rest.toString('utf8', at + 4, at + 4 + size)))
      at += 4 + size
    }
    rest = rest.subarray(at)
  })
  const flush = () => {
    socket.write(Buffer.concat(out))
    out = []
  }
  return (message) => {
    const body = Buffer.from(JSON.stringify(message))
    const head = Buffer.allocUnsafe(4)
    head.writeUInt32BE(body.length)
    if (out.push(head, body) === 2) process.nextTick(flush)
  }
}

const floor = {
  async serve() {
    const server = net.createServer((socket) => {
      const send = framed(socket, (message) => send(message))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `127.0.0.1:${server.address().port}`
  },
  async connect(address) {
    const waiting = []
    const socket = net.connect(Number(address.split(':')[1]), '127.0.0.1')
    await once(socket, 'connect')
    const send = framed(socket, (message) => waiting.shift()(message))
    return (message) =>
      new Promise((resolve) => {
        waiting.push(resolve)
        send(message)
      })
  },
}

// ── Holdfast ───────────────────────────────────────────────────────────────────────────────────────

const echo = service('echo', { version: 1, procedures: { echo: procedure() } })

const holdfast = {
  async serve() {
    const server = await rpcServer(nodeRuntime(), { address: '127.0.0.1:0' })
    server.serve(echo, { echo: (message) => message })
    return server.address
  },
  async connect(address) {
    const endpoint = { id: 'one', address, weight: 100, instance: 'one', metadata: {} }
    const choice = { endpoint, finish() {} }
    const client = rpcClient(nodeRuntime(), echo, {
      source: { endpoints: () => [endpoint], subscribe: () => () => {} },
      balancer: { name: 'only', update() {}, pick: () => choice },
      timeoutMs: 5_000,
    })
    return (message) => client.echo(message)
  },
}

// ── the race ───────────────────────────────────────────────────────────────────────────────────────

const kinds = { 'framed TCP + JSON (floor)': floor, holdfast }
const text = 'x'.repeat(190)

async function load(call, width, ms) {
  const latencies = []
  const startMs = performance.now()
  const lane = async () => {
    for (let i = 0, t = startMs; t < startMs + ms; i++) {
      const reply = await call({ id: i, text })
      if (reply.id !== i || reply.text.length !== 190) throw new Error('a wrong answer')
      const done = performance.now()
      latencies.push(done - t)
      t = done
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
  const sorted = Float64Array.from(latencies).sort()
  return {
    rate: (latencies.length / (performance.now() - startMs)) * 1_000,
    p50: sorted[Math.floor(sorted.length * 0.5)],
    p99: sorted[Math.floor(sorted.length * 0.99)],
  }
}

async function race() {
  const contestants = []
  for (const [name, kind] of Object.entries(kinds)) {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'serve', name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(child.stdout, 'data')
    contestants.push({ name, child, call: await kind.connect(String(line).trim()) })
  }
  const median = (samples) => samples.toSorted((a, b) => a.rate - b.rate)[samples.length >> 1]
  for (const width of [1, 64]) {
    const samples = new Map(contestants.map(({ name }) => [name, []]))
    for (const { call } of contestants) await load(call, width, 300)
    for (let round = 0; round < Number(args.rounds); round++) {
      for (const { name, call } of contestants) {
        samples.get(name).push(await load(call, width, Number(args.seconds) * 1_000))
      }
    }
    const floorRate = median(samples.get(contestants[0].name)).rate
    for (const { name } of contestants) {
      const { rate, p50, p99 } = median(samples.get(name))
      const facts = { metric: `echo-${width}`, name, callsPerSecond: Math.round(rate) }
      const ratio = { floorRatio: +(rate / floorRate).toFixed(2) }
      console.log(
        JSON.stringify({ ...facts, ...ratio, p50: +p50.toFixed(3), p99: +p99.toFixed(3) }),
      )
    }
  }
  for (const { child } of contestants) child.kill()
  process.exit(0)
}

if (positionals[0] === 'serve') console.log(await kinds[positionals[1]].serve())
else await race()
