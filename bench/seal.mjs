// What does the seal between members cost? Bytes over loopback: bare, sealed, and node:tls with a
// pre-shared key as the named peer.
//
//   node bench/seal.mjs
//
// 256 MiB in writes of 64 KiB, one direction, one process; median of the rounds, MB/s and the share of
// bare. Also handshakes a second, both sides in one process. Prints one JSON line per contestant.

import net from 'node:net'
import tls from 'node:tls'
import { seal } from 'holdfast/hosts/seal'
import { nodeRuntime } from 'holdfast/runtime/node'

const totalBytes = 256 * 1_048_576
const chunk = new Uint8Array(65_536).fill(1)
const rounds = 3
const handshakes = 100
const runtime = nodeRuntime()
const key = new Uint8Array(32).fill(7)
const { connect, accept } = seal(runtime, { secrets: [key], clusterId: 'bench' })
const nowMs = () => performance.now()
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

async function streams(sealed) {
  let accepted
  const arrived = new Promise((resolve) => {
    accepted = resolve
  })
  const listener = await runtime.network.listen('127.0.0.1:0', (raw) =>
    accepted(sealed ? accept(raw) : raw),
  )
  const raw = await runtime.network.connect(listener.address, { timeoutMs: 1_000 })
  const near = sealed ? await connect(raw) : raw
  const far = await arrived
  await listener.close()
  return { near, far }
}

async function ours(sealed) {
  const { near, far } = await streams(sealed)
  const startedMs = nowMs()
  const done = new Promise((resolve, reject) => {
    let left = totalBytes
    far.receive({
      data(bytes) {
        left -= bytes.length
        if (left === 0) resolve()
      },
      ended() {},
      failed: reject,
    })
  })
  near.receive({ data() {}, ended() {}, failed() {} })
  for (let sent = 0; sent < totalBytes; sent += chunk.length) {
    if (!near.write(chunk.slice())) await near.drained()
  }
  await done
  const tookMs = nowMs() - startedMs
  near.destroy()
  far.destroy()
  return totalBytes / 1e3 / tookMs
}

async function withTls() {
  const identity = 'bench'
  const options = { ciphers: 'PSK-CHACHA20-POLY1305', maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' }
  const server = tls.createServer({ ...options, pskCallback: () => Buffer.from(key) })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  const far = new Promise((resolve) => server.once('secureConnection', resolve))
  const near = tls.connect({
    ...options,
    socket: net.connect(port, '127.0.0.1'),
    pskCallback: () => ({ psk: Buffer.from(key), identity }),
    checkServerIdentity: () => undefined,
  })
  const [receiver] = await Promise.all([far, new Promise((r) => near.once('secureConnect', r))])
  const startedMs = nowMs()
  const done = new Promise((resolve) => {
    let left = totalBytes
    receiver.on('data', (bytes) => {
      left -= bytes.length
      if (left === 0) resolve()
    })
  })
  for (let sent = 0; sent < totalBytes; sent += chunk.length) {
    if (!near.write(chunk.slice())) await new Promise((resolve) => near.once('drain', resolve))
  }
  await done
  const tookMs = nowMs() - startedMs
  near.destroy()
  server.close()
  return totalBytes / 1e3 / tookMs
}

async function rounded(run) {
  const figures = []
  for (let round = 0; round < rounds; round++) figures.push(await run())
  return Math.round(median(figures))
}

const bare = await rounded(() => ours(false))
for (const [name, run] of [
  ['bare', () => bare],
  ['seal', () => ours(true)],
  ['node:tls, PSK, ChaCha20-Poly1305', withTls],
]) {
  const megabytes = await rounded(run)
  console.log(JSON.stringify({ name, megabytes, ofBare: Number((megabytes / bare).toFixed(3)) }))
}

const startedMs = nowMs()
for (let count = 0; count < handshakes; count++) {
  const { near, far } = await streams(true)
  near.destroy()
  far.destroy()
}
const perSecond = Math.round((handshakes / (nowMs() - startedMs)) * 1_000)
console.log(JSON.stringify({ name: 'handshakes a second', perSecond }))
