// How fast do worlds run? Events per second by timers, by datagrams and by SQL, and worlds per second.
//
//   node bench/simulation.mjs [--rounds 3]
//
// The floor is the same number of turns of a plain promise loop: what the engine asks for one `await`.
// Figures are the best round; compare them with the floor of the same run, never across machines.
import { parseArgs } from 'node:util'
import { simulate } from 'holdfast/testing'

const { values: args } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } })
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

const contestants = {
  async 'floor: awaits/s'() {
    const startMs = nowMs()
    for (let count = 0; count < 1_000_000; count++) await undefined
    return (1_000_000 / (nowMs() - startMs)) * 1_000
  },
  async 'timer events/s'() {
    const scenario = (world) => {
      world.client('c', async (runtime) => {
        for (let count = 0; count < 500_000; count++) await wait(runtime, 1)
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

const best = Object.fromEntries(Object.keys(contestants).map((name) => [name, 0]))
for (let round = 0; round < rounds; round++) {
  for (const [name, contestant] of Object.entries(contestants)) {
    best[name] = Math.max(best[name], await contestant())
  }
}
const floor = best['floor: awaits/s']
for (const [name, perSecond] of Object.entries(best)) {
  const figures = {
    name,
    perSecond: Math.round(perSecond),
    ofFloor: +(perSecond / floor).toFixed(3),
  }
  console.log(JSON.stringify({ bench: 'simulation', node: process.version, ...figures }))
}
