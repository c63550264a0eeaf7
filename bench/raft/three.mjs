// Three members in three processes on this machine: ours and etcd's. Ports of the loopback interface, a
// folder for each, real syncs.
import { fork, spawn } from 'node:child_process'
import { mkdirSync, openSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processorMs } from './load.mjs'

const ids = ['a', 'b', 'c']
const program = fileURLToPath(new URL('member.mjs', import.meta.url))
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

export async function until(probe, timeoutMs = 60_000) {
  for (const endMs = performance.now() + timeoutMs; performance.now() < endMs; await pause(20)) {
    const found = await probe()
    if (found) return found
  }
  throw new Error(`not in time: ${probe}`)
}

/** @param execArgv for profiles: `node --cpu-prof` for each member. */
export async function threeMembers(kind, folder, { options = {}, execArgv = [] } = {}) {
  const ports = await Promise.all(ids.map(freePort))
  const addresses = Object.fromEntries(ids.map((id, index) => [id, `127.0.0.1:${ports[index]}`]))
  const start = (id) =>
    started(kind, id, addresses, join(folder, `${kind}-${id}`), options, execArgv)
  const members = new Map(await Promise.all(ids.map(async (id) => [id, await start(id)])))
  async function leader() {
    for (const member of members.values()) {
      if ((await member.ask('status')).role === 'leader') return member
    }
    return undefined
  }
  return {
    addresses: Object.values(addresses),
    members,
    leader: () => until(leader),
    async restart(id) {
      members.set(id, await start(id))
    },
    processorMs: () => sum([...members.values()].map(({ child }) => processorMs(child.pid))),
    stop: () => Promise.all([...members.values()].map((member) => member.stop('SIGTERM'))),
  }
}

const sum = (values) => values.reduce((total, one) => total + one, 0)

async function started(kind, id, addresses, folder, options, execArgv) {
  const given = JSON.stringify({ kind, id, addresses, folder, options })
  const child = fork(program, [given], { execArgv })
  children.add(child)
  const waiting = new Map()
  let number = 0
  const up = new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`member ${id} ended with ${code}`)))
    child.on('message', (message) => {
      if (message.up) resolve()
      const call = waiting.get(message.number)
      waiting.delete(message.number)
      if (message.error) call?.reject(new Error(message.error))
      else call?.resolve(message.answer)
    })
  })
  await up
  return {
    id,
    child,
    ask(order, rest = {}) {
      number += 1
      child.send({ number, order, ...rest })
      return new Promise((resolve, reject) => waiting.set(number, { resolve, reject }))
    },
    stop: (signal) => stopped(child, signal),
  }
}

function stopped(child, signal) {
  return new Promise((resolve) => {
    child.once('exit', () => {
      children.delete(child)
      resolve()
    })
    child.kill(signal)
  })
}

/** Default timings, syncs on; clients ask the leader, as a follower would add a hop. */
export async function threeEtcds(folder) {
  const url = (port) => `http://127.0.0.1:${port}`
  const nodes = []
  for (const name of ids) nodes.push({ name, client: await freePort(), peer: await freePort() })
  const cluster = nodes.map(({ name, peer }) => `${name}=${url(peer)}`).join(',')
  const running = nodes.map(({ name, client, peer }) => {
    const options = {
      name,
      'data-dir': join(folder, `etcd-${name}`),
      'listen-client-urls': url(client),
      'advertise-client-urls': url(client),
      'listen-peer-urls': url(peer),
      'initial-advertise-peer-urls': url(peer),
      'initial-cluster': cluster,
      'log-level': 'error',
      logger: 'zap',
      'quota-backend-bytes': 8e9,
    }
    mkdirSync(options['data-dir'], { recursive: true, mode: 0o700 })
    const log = openSync(join(folder, `etcd-${name}.log`), 'a')
    const argv = Object.entries(options).flatMap(([key, text]) => [`--${key}`, String(text)])
    const child = spawn('etcd', argv, { stdio: ['ignore', log, log] })
    children.add(child)
    return child
  })
  const status = async ({ client }) => {
    const init = { method: 'POST', body: '{}' }
    return (await fetch(`${url(client)}/v3/maintenance/status`, init)).json()
  }
  const leader = await until(async () => {
    const known = await Promise.all(nodes.map((node) => status(node).catch(() => undefined)))
    const at = known.findIndex((one) => one?.leader && one.leader === one.header.member_id)
    return at < 0 ? undefined : { url: url(nodes[at].client), version: known[at].version }
  })
  return {
    ...leader,
    processorMs: () => sum(running.map(({ pid }) => processorMs(pid))),
    stop: () => Promise.all(running.map((child) => stopped(child, 'SIGTERM'))),
  }
}
