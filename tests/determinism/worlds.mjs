/**
 * Worlds that use no SQL and no module of Node, so that every engine can run them: each version of Node, and
 * a browser. What the small ones do is chosen to lean on what engines might do differently: the order of
 * promises, sorting, maps, numbers in words, abort signals. The large ones are the trials of whole members of
 * Raft and Paxos: storage, links, clients, judges.
 */
import { sleep } from 'holdfast/runtime'
import { roundRobin } from 'holdfast/services/balancing'
import { procedure, rpcClient, rpcServer, service } from 'holdfast/services/rpc'
import { paxosTrial, paxosTrialFaults } from '../../dist/hosts/paxos/paxos.sim.js'
import { raftTrial, raftTrialFaults } from '../../dist/hosts/raft/raft.sim.js'

const forever = () => new Promise(() => {})
const utf8 = {
  encode: (text) => new TextEncoder().encode(text),
  decode: (bytes) => new TextDecoder().decode(bytes),
}

/** Five machines elect a leader; votes are on disk before they are given. */
function election(world) {
  const names = ['a', 'b', 'c', 'd', 'e']
  for (const name of names) {
    world.machine(name).process(
      'voter',
      async (runtime) => {
        const file = await runtime.disk.open('vote', 'create')
        const stored = utf8.decode(await file.readAt(0, 64))
        let { term, votedFor } = stored.endsWith('}')
          ? JSON.parse(stored)
          : { term: 0, votedFor: '' }
        let leader = ''
        let votes = new Set()
        let heardMs = runtime.clock.monotonicMs()
        async function remember(newTerm, candidate) {
          term = newTerm
          votedFor = candidate
          const text = JSON.stringify({ term, votedFor }).padStart(64)
          await file.writeAt(0, utf8.encode(text))
          await file.sync()
        }
        const say = (to, message) => socket.send(`${to}:1`, utf8.encode(JSON.stringify(message)))
        const hear = async ({ kind, from, at }) => {
          if (at > term) await remember(at, '')
          if (at < term) return
          if (kind === 'ask' && (votedFor === '' || votedFor === from)) {
            if (votedFor === '') await remember(at, from)
            say(from, { kind: 'vote', from: name, at })
          } else if (kind === 'vote') {
            votes.add(from)
            if (votes.size === 3 && leader !== name) {
              leader = name
              runtime.probe.note('leads', { term })
              world.committed()
            }
          } else if (kind === 'beat') {
            leader = from
            heardMs = runtime.clock.monotonicMs()
          }
        }
        let last = Promise.resolve()
        const socket = await runtime.network.bind(`${name}:1`, ({ bytes }) => {
          last = last.then(() => hear(JSON.parse(utf8.decode(bytes))))
          last.catch(() => {})
        })
        for (;;) {
          if (leader === name) {
            for (const other of names)
              if (other !== name) say(other, { kind: 'beat', from: name, at: term })
            await sleep(runtime.timers, 50)
            continue
          }
          const patienceMs = 150 + runtime.random.fraction('patience') * 150
          await sleep(runtime.timers, patienceMs)
          if (runtime.clock.monotonicMs() - heardMs < patienceMs) continue
          votes = new Set([name])
          leader = ''
          await remember(term + 1, name)
          for (const other of names)
            if (other !== name) say(other, { kind: 'ask', from: name, at: term })
        }
      },
      { mayThrow: true },
    )
  }
  world.client('client', (runtime) => sleep(runtime.timers, 10_000))
}

/** Lines over connections that break, with a limit on each wait. */
function lines(world) {
  world.machine('server').process('echo', async (runtime) => {
    await runtime.network.listen('server:7', (stream) => {
      stream.receive({
        data: (bytes) => void stream.write(bytes),
        ended: () => stream.end(),
        failed() {},
      })
    })
    await forever()
  })
  for (const name of ['left', 'right']) {
    world.client(name, async (runtime) => {
      for (let turn = 0; turn < 40; turn++) {
        const stop = new AbortController()
        const limit = runtime.timers.schedule(700, () => stop.abort())
        try {
          const stream = await runtime.network.connect('server:7', {
            timeoutMs: 300,
            signal: stop.signal,
          })
          const heard = await new Promise((resolve, reject) => {
            let text = ''
            stop.signal.addEventListener('abort', () => reject(new Error('late')), { once: true })
            stream.receive({
              data(bytes) {
                text += utf8.decode(bytes)
              },
              ended: () => resolve(text),
              failed: reject,
            })
            stream.write(utf8.encode(`${name} ${turn} ${runtime.random.id('line')}`))
            stream.end()
          })
          runtime.probe.note('heard', { heard })
          world.committed()
        } catch ({ name: kind, message }) {
          runtime.probe.note('failed', { kind, message })
        } finally {
          limit.cancel()
        }
        await sleep(runtime.timers, 100 + runtime.random.fraction('pause') * 100)
      }
    })
  }
}

const counter = service('counter', {
  version: 1,
  procedures: { add: procedure(), read: procedure({ idempotent: true }) },
})

/** Calls with deadlines, retries and cancellation, on a bad day. */
function calls(world) {
  const machines = ['s1', 's2']
  for (const machine of machines) {
    world.machine(machine).process('server', async (runtime) => {
      let total = 0
      const server = await rpcServer(runtime, { address: `${machine}:80` })
      server.serve(counter, {
        async add(by, { signal }) {
          await sleep(runtime.timers, 20, { signal })
          total += by
          return total
        },
        read: () => total,
      })
      await forever()
    })
  }
  const endpoints = machines.map((id) => ({
    id,
    address: `${id}:80`,
    weight: 100,
    instance: id,
    metadata: {},
  }))
  for (const name of ['c1', 'c2']) {
    world.client(name, async (runtime) => {
      const source = { endpoints: () => endpoints, subscribe: () => () => {} }
      const balancer = roundRobin(runtime.random)
      const client = rpcClient(runtime, counter, { source, balancer, timeoutMs: 400 })
      for (let turn = 0; turn < 30; turn++) {
        const asked = [client.add(turn), client.read(null), client.add(1)]
        const answers = await Promise.allSettled(asked)
        const words = answers.map(({ status, value, reason }) => [status, value ?? reason?.code])
        runtime.probe.note('answers', words)
        if (answers.some(({ status }) => status === 'fulfilled')) world.committed()
        await sleep(runtime.timers, 50)
      }
      client.close()
    })
  }
}

/** What the language itself decides: each result becomes part of the trace. */
function language(world) {
  world.client('client', async (runtime) => {
    const note = (what, value) => runtime.probe.note(what, value)
    const draw = () => runtime.random.fraction('draw')
    const rows = Array.from({ length: 500 }, (_, at) => ({ at, key: Math.floor(draw() * 20) }))
    note(
      'sorted',
      rows.toSorted((left, right) => left.key - right.key).map(({ at }) => at),
    )
    note('words', rows.map(() => Math.floor(draw() * 1e6).toString(36)).sort())
    note(
      'numbers',
      Array.from({ length: 100 }, () => [draw(), draw() * 1e21, draw() / 1e9]),
    )
    note(
      'roots',
      Array.from({ length: 100 }, () => Math.sqrt(draw())),
    )
    const groups = new Map()
    for (const { at, key } of rows) groups.set(key, [...(groups.get(key) ?? []), at])
    note('groups', [...groups])
    note(
      'keys',
      Object.keys(Object.fromEntries(rows.map(({ at, key }) => [`${key}.${at % 3}`, at]))),
    )
    note('date', new Date(runtime.clock.wallMs()).toISOString())

    const order = []
    const step = (name) => () => void order.push(name)
    queueMicrotask(step('microtask'))
    Promise.resolve().then(step('then')).finally(step('finally')).then(step('after'))
    const racing = Promise.race([sleep(runtime.timers, 1), Promise.resolve('plain')])
    async function* counting() {
      try {
        for (let at = 0; at < 3; at++) yield at
      } finally {
        order.push('closed')
      }
    }
    const stop = new AbortController()
    stop.signal.addEventListener('abort', step('first listener'))
    stop.signal.addEventListener('abort', () => queueMicrotask(step('from a listener')))
    const asleep = sleep(runtime.timers, 1_000, { signal: stop.signal }).catch(step('woken'))
    for await (const at of counting()) {
      order.push(`count ${at}`)
      if (at === 1) break
    }
    order.push(await racing)
    stop.abort()
    order.push('aborted')
    await Promise.all([asleep, Promise.any([Promise.reject(new Error('no')), Promise.resolve()])])
    await Promise.all(
      Array.from({ length: 20 }, (_, at) => sleep(runtime.timers, 5).then(step(at))),
    )
    note('order', order)
  })
}

const faults = 'all'
/** By name. The options are part of the world: another duration is another trace. */
export const worlds = {
  election: { scenario: election, options: { seeds: 10, faults, durationMs: 10_000 } },
  lines: { scenario: lines, options: { seeds: 10, faults, durationMs: 5_000 } },
  calls: { scenario: calls, options: { seeds: 10, faults, durationMs: 5_000 } },
  language: { scenario: language, options: { seeds: 10 } },
  raft: {
    // Among them one with sealed links (5) and one with five voters (8).
    scenario: raftTrial(),
    options: { seeds: 8, faults: raftTrialFaults, durationMs: 1_500, livenessMs: 60_000 },
  },
  paxos: {
    scenario: paxosTrial(),
    options: {
      ...{ seeds: 10, faults: paxosTrialFaults, faultsMax: 24 },
      ...{ durationMs: 6_000, livenessMs: 60_000 },
    },
  },
}

/** What must not be done: it asks the engine who it is, so each engine gives a trace of its own. */
export function curious(world) {
  world.client('client', async (runtime) => {
    const { process, navigator } = globalThis
    runtime.probe.note('engine', process?.version ?? navigator.userAgent)
  })
}

/** An error that nobody catches, in an event of its own. */
export function careless(world) {
  world.machine('m').process('p', async (runtime) => {
    await sleep(runtime.timers, 1)
    Promise.reject(new Error('lost'))
    await forever()
  })
  world.client('client', (runtime) => sleep(runtime.timers, 100))
}

/** Runs all worlds by `simulate(options, scenario)`. Comparable: text, and nothing that differs by speed. */
export async function traces(simulate) {
  const found = {}
  for (const [name, { scenario, options }] of Object.entries(worlds)) {
    const report = await simulate(options, scenario)
    const { traceHash, events, failures, seedsThatCount, reached } = report
    const failed = failures.map(({ message }) => message)
    found[name] = { traceHash, events, seedsThatCount, failed, reached }
  }
  const own = await simulate({}, curious)
  const lost = await simulate({}, careless)
  return { found, curious: own.traceHash, careless: lost.failures.map(({ name }) => name) }
}
