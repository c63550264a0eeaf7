// A replicated log in three processes on one machine, beside three etcds: committed writes and linearizable reads of
// 100 bytes a second, with real syncs. Two forms: clients in this process ask over the network, as etcd's
// do; and the leader's own process asks itself, as a program does that is a member.
//
//   node bench/raft.mjs [--peers FOLDER] [--seconds 2] [--rounds 3] [--widths 1,64,256] [--only raft,cluster] [--what put]
//
// `--peers`: a folder where `etcd3` and `undici` are installed, for etcd over gRPC and over its JSON gateway;
// `etcd` must be in the PATH. The floor is one write of 4 KB and one fdatasync after the other: what a log
// that nobody batches cannot pass. All take turns, round after round; the median round counts, and ratios are
// those of medians. `cpuUs` is processor time of the members and of the clients, a call.
// `--sealed`: members and clients of the driver share a secret, and nothing is said in the clear; etcd's do not.
// `--profile FOLDER`: a CPU profile of each member.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { clusterStores } from 'holdfast/drivers/cluster'
import { nodeRuntime } from 'holdfast/runtime/node'
import { keyOf, load, median, processorMs, value } from './raft/load.mjs'
import { threeEtcds, threeMembers } from './raft/three.mjs'

const { values: args } = parseArgs({
  options: {
    peers: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    widths: { type: 'string', default: '1,64,256' },
    only: { type: 'string', default: 'floor,raft,cluster,etcd' },
    what: { type: 'string', default: 'put,read' },
    profile: { type: 'string' },
    sealed: { type: 'boolean', default: false },
  },
})
const only = args.only.split(',')
const ms = 1_000 * Number(args.seconds)
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const execArgv = args.profile ? ['--cpu-prof', `--cpu-prof-dir=${args.profile}`] : []

/** Lanes in this process. */
const lanesHere =
  ({ put, get }) =>
  async ({ what, width, ms: forMs }) => {
    if (what === 'put') return load(forMs, width, (lane, count) => put(keyOf(lane, count), value))
    for (let count = 0; count < 100; count++) await put(keyOf(0, count), value)
    return load(forMs, width, async (_lane, count) => {
      if ((await get(keyOf(0, count))) !== value) throw new Error('not what was put')
    })
  }

function floor() {
  const file = openSync(join(folder, 'floor'), 'w')
  const block = Buffer.alloc(4_096)
  let next = 0
  const put = async () => {
    writeSync(file, block, 0, 4_096, 4_096 * (next++ % 1_024))
    fdatasyncSync(file)
  }
  return {
    name: 'fdatasync, one at a time',
    skip: 'read',
    run: lanesHere({ put }),
    processorMs: () => 0,
    stop: () => closeSync(file),
  }
}

async function raftHere() {
  const three = await threeMembers('raft', folder, { execArgv })
  const leader = await three.leader()
  return [
    {
      ...{ name: 'holdfast raft, leader’s own process', stop: three.stop },
      run: (order) => leader.ask('load', order),
      processorMs: three.processorMs,
    },
  ]
}

async function cluster() {
  const options = args.sealed ? { secret: 'a secret of some length, for this bench only' } : {}
  const three = await threeMembers('cluster', folder, { execArgv, options })
  const leader = await three.leader()
  const runtime = nodeRuntime()
  const members = three.addresses
  const stores = clusterStores(runtime, { members, namespace: 'bench', ...options })
  const { records } = stores
  const { processorMs: cost, stop } = three
  return [
    {
      ...{ name: 'holdfast cluster, over the network', processorMs: cost, stop },
      run: lanesHere({
        put: (key, text) => records.put({ space: 's', key, value: text, expected: 'any' }),
        get: async (key) => (await records.get('s', key))?.value,
      }),
    },
    {
      ...{ name: 'holdfast cluster, leader’s own process', processorMs: cost, stop() {} },
      run: (order) => leader.ask('load', order),
    },
  ]
}

async function etcd(peers) {
  const require = createRequire(join(resolve(peers), 'x.js'))
  const { Etcd3 } = require('etcd3')
  const { Pool } = require('undici')
  const three = await threeEtcds(folder)
  const client = new Etcd3({ hosts: three.url })
  const grpc = {
    put: (key, text) => client.put(key).value(text),
    get: (key) => client.get(key).string(),
  }
  const pool = new Pool(three.url, { connections: 256, pipelining: 1 })
  const base64 = (text) => Buffer.from(text).toString('base64')
  const call = async (path, body) => {
    const answer = await pool.request({ method: 'POST', path, body: JSON.stringify(body) })
    return answer.body.json()
  }
  const gateway = {
    put: (key, text) => call('/v3/kv/put', { key: base64(key), value: base64(text) }),
    async get(key) {
      const { kvs } = await call('/v3/kv/range', { key: base64(key) })
      return kvs && Buffer.from(kvs[0].value, 'base64').toString()
    },
  }
  const { processorMs: cost, stop, version } = three
  return [
    { name: `etcd ${version}, etcd3 (gRPC)`, run: lanesHere(grpc), processorMs: cost, stop },
    {
      ...{ name: `etcd ${version}, JSON gateway`, processorMs: cost, stop() {} },
      run: lanesHere(gateway),
    },
  ]
}

const field = []
if (only.includes('floor')) field.push(floor())
if (only.includes('raft')) field.push(...(await raftHere()))
if (only.includes('cluster')) field.push(...(await cluster()))
if (only.includes('etcd') && args.peers) field.push(...(await etcd(args.peers)))
else console.error('without etcd: see --peers')

async function sampled(contestant, order) {
  const before = contestant.processorMs() + processorMs(process.pid)
  const sample = await contestant.run(order)
  const spentMs = contestant.processorMs() + processorMs(process.pid) - before
  return { ...sample, cpuUs: (spentMs * 1_000) / sample.count }
}

const short = (figure) => Number(figure.toPrecision(4))
for (const what of args.what.split(',')) {
  for (const width of args.widths.split(',').map(Number)) {
    const runners = field.filter(({ skip }) => skip !== what)
    const samples = new Map(runners.map((one) => [one, []]))
    for (const one of runners) await one.run({ what, width, ms: 1_000 })
    for (let round = 0; round < Number(args.rounds); round++) {
      for (const one of runners) samples.get(one).push(await sampled(one, { what, width, ms }))
    }
    const rows = runners.map((one) => {
      const of = (name) => short(median(samples.get(one).map((sample) => sample[name])))
      const row = { what, clients: width, contestant: one.name, perSecond: of('rate') }
      return { ...row, p50Ms: of('p50'), p99Ms: of('p99'), cpuUs: of('cpuUs') }
    })
    const best = (word) =>
      Math.max(...rows.filter((row) => row.contestant.includes(word)).map((row) => row.perSecond))
    for (const row of rows) {
      const ratios = { ofFloor: best('fdatasync'), ofEtcd: best('etcd') }
      for (const [name, base] of Object.entries(ratios)) {
        if (base > 0) row[name] = short(row.perSecond / base)
      }
      console.log(JSON.stringify(row))
    }
  }
}
for (const one of field) await one.stop()
process.exit(0)
