// How fast do worlds run? Events per second by timers, datagrams, streams and SQL; worlds per second; and
// seconds of a small system under locks per second.
//
//   node bench/simulation.mjs [--rounds 3] [--only WORD]
//
// The floor is the least that any such simulator does for asynchronous code: a heap of what is due, and a
// drain of promises after each. It has as many sleepers as the contestant that is measured by it, and no
// trace, no faults, no owners. Figures are the best round; compare them with the floor of the same run,
// never across machines.
import { parseArgs } from 'node:util'
import { withLock } from 'holdfast/coordination'
import { embeddedEngine, etcdEngine, simulate } from 'holdfast/testing'

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
})
const rounds = Number(args.rounds)
const nowMs = performance.now.bind(performance)
const forever = () => new Promise(() => {})
const wait = (runtime, delayMs) =>
  new Promise((resolve) => runtime.timers.schedule(delayMs, resolve))

async function run(options, scenario) {
  const startMs = nowMs()
  const report = await simulate({ twiceEvery: 1_000_000_000, ...options }, scenario)
  const passedMs = nowMs() - startMs
  if (report.failures.length > 0) throw new Error(report.failures[0].message)
  return { perSecond: (report.events / passedMs) * 1_000, passedMs, report }
}

/** The floor: nothing but a binary heap, promises, and a drain between two events. */
function heapAndDrain(total, sleepers) {
  const heap = []
  let nowMs = 0
  let ties = 0
  const before = (left, right) =>
    left.at < right.at || (left.at === right.at && left.tie < right.tie)
  const push = (event) => {
    let hole = heap.length
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (!before(event, heap[parent])) break
      heap[hole] = heap[parent]
      hole = parent
    }
    heap[hole] = event
  }
  const pop = () => {
    const first = heap[0]
    const last = heap.pop()
    if (heap.length === 0) return first
    let hole = 0
    for (let child = 1; child < heap.length; child = 2 * hole + 1) {
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
      if (!before(heap[child], last)) break
      heap[hole] = heap[child]
      hole = child
    }
    heap[hole] = last
    return first
  }
  const sleep = (ms) => new Promise((run) => push({ at: nowMs + ms, tie: ties++, run }))
  const sleeper = async (ms) => {
    for (let count = 0; count < total / sleepers; count++) await sleep(ms)
  }
  const drain = process._tickCallback.bind(process)
  return new Promise((resolve) => {
    setImmediate(() => {
      for (let index = 0; index < sleepers; index++) sleeper(pause(index))
      const startMs = performance.now()
      for (let event = pop(); event !== undefined; event = pop()) {
        nowMs = event.at
        event.run()
        drain()
      }
      resolve((total / (performance.now() - startMs)) * 1_000)
    })
  })
}

/** Pauses that seldom end together. */
const pause = (index) => 1 + index / 7

async function sleepers(count) {
  const scenario = (world) => {
    for (let index = 0; index < count; index++) {
      world.client(`c${index}`, async (runtime) => {
        for (let turn = 0; turn < 500_000 / count; turn++) await wait(runtime, pause(index))
      })
    }
  }
  return (await run({ durationMs: 10_000_000 }, scenario)).perSecond
}

/** Five machines share one lock: each wants it about every two seconds, and holds it for a tenth of one. */
async function fiveMachines(engineOf) {
  const scenario = (world) => {
    const engine = engineOf(world)
    for (let index = 0; index < 5; index++) {
      world.machine(`m${index}`).process('worker', async (runtime) => {
        const { leases } = engine.connect(runtime)
        for (;;) {
          await wait(runtime, 1_500 + runtime.random.fraction('pause') * 1_000)
          await withLock(runtime, leases, 'l', { ttlMs: 10_000 }, () => wait(runtime, 100))
        }
      })
    }
    world.client('c', (runtime) => wait(runtime, 600_000))
  }
  const { passedMs, report } = await run({ durationMs: 700_000 }, scenario)
  return report.virtualMs / passedMs // milliseconds both
}

const contestants = {
  'floor: heap and drain, 1 sleeper': () => heapAndDrain(500_000, 1),
  'floor: heap and drain, 50 sleepers': () => heapAndDrain(500_000, 50),
  'timer events/s, 1 sleeper': () => sleepers(1),
  'timer events/s, 50 sleepers': () => sleepers(50),
  'simulated s/s, five machines and a lock, etcd-like': () => fiveMachines(etcdEngine),
  'simulated s/s, five machines and a lock, embedded behind a server': () =>
    fiveMachines(embeddedEngine),
  async 'stream events/s, one connection'() {
    const scenario = (world) => {
      world.machine('s').process('echo', async (runtime) => {
        await runtime.network.listen('s:1', (stream) => {
          stream.receive({ data: (bytes) => void stream.write(bytes), ended() {}, failed() {} })
        })
        await forever()
      })
      world.client('c', async (runtime) => {
        await wait(runtime, 10)
        const stream = await runtime.network.connect('s:1', { timeoutMs: 1_000 })
        let answered = () => {}
        stream.receive({ data: () => answered(), ended() {}, failed() {} })
        for (let call = 0; call < 50_000; call++) {
          stream.write(Uint8Array.of(1))
          await new Promise((resolve) => {
            answered = resolve
          })
        }
        stream.end()
      })
    }
    return (await run({ durationMs: 10_000_000 }, scenario)).perSecond
  },
  async 'datagram events/s, five machines, all faults'() {
    const scenario = (world) => {
      for (let index = 0; index < 5; index++) {
        world.machine(`m${index}`).process('p', async (runtime) => {
          const socket = await runtime.network.bind(`m${index}:1`, ({ bytes, source }) => {
            if (bytes[0] > 0) socket.send(source, Uint8Array.of(bytes[0] - 1))
          })
          for (;;) {
            await wait(runtime, 20)
            socket.send(`m${(index + 1) % 5}:1`, Uint8Array.of(5))
          }
        })
      }
      world.client('c', (runtime) => wait(runtime, 30_000))
    }
    return (await run({ seeds: 5, faults: 'all', durationMs: 30_000 }, scenario)).perSecond
  },
  async 'SQL commits/s'() {
    const scenario = (world) => {
      world.client('c', async (runtime) => {
        const file = await runtime.sql.open({ path: 'f', migrations: ['CREATE TABLE t (n)'] })
        for (let count = 0; count < 10_000; count++) {
          await file.run({ statements: [{ sql: 'INSERT INTO t VALUES (1)' }] })
        }
      })
    }
    return (10_000 / (await run({ durationMs: 600_000 }, scenario)).passedMs) * 1_000
  },
  async 'worlds with SQL/s'() {
    const scenario = (world) => {
      world.machine('m').process('p', async (runtime) => {
        await runtime.sql.open({ path: 'f', migrations: ['CREATE TABLE t (n)'] })
        await forever()
      })
      world.client('c', (runtime) => wait(runtime, 10))
    }
    return (500 / (await run({ seeds: 500 }, scenario)).passedMs) * 1_000
  },
}

const chosen = Object.keys(contestants).filter(
  (name) => name.startsWith('floor') || name.includes(args.only),
)
const best = Object.fromEntries(chosen.map((name) => [name, 0]))
for (let round = 0; round < rounds; round++) {
  for (const name of chosen) best[name] = Math.max(best[name], await contestants[name]())
}
for (const [name, perSecond] of Object.entries(best)) {
  const floor = best[`floor: heap and drain, ${name.includes('50') ? '50 sleepers' : '1 sleeper'}`]
  const ofFloor = name.includes('events') ? { ofFloor: +(perSecond / floor).toFixed(3) } : {}
  const figures = { name, perSecond: Math.round(perSecond), ...ofFloor }
  console.log(JSON.stringify({ bench: 'simulation', node: process.version, ...figures }))
}
