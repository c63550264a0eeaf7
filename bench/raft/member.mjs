// One member in a process of its own, told by messages of its parent what to do. It also puts load on itself, for
// the figures of a program that is itself a member.
//
//   holdfast/hosts/raft      the replicated log with the smallest machine there is: a map of keys
//   holdfast/drivers/cluster the driver, with sessions, leases, watches, and its ports
import { clusterMember, clusterStores } from 'holdfast/drivers/cluster'
import { raftHost } from 'holdfast/hosts/raft'
import { nodeRuntime } from 'holdfast/runtime/node'
import { keyOf, load, value } from './load.mjs'

const runtime = nodeRuntime()
const { kind, id, addresses, folder, options = {} } = JSON.parse(process.argv[2] ?? '{}')
const { [id]: listen, ...peers } = addresses

/** A command is the length of the key, the key and the value, each a byte a letter. */
function keysMachine() {
  let keys = new Map()
  const done = Uint8Array.of(1)
  return {
    get: (key) => keys.get(key),
    put(key, text) {
      const command = Buffer.allocUnsafe(1 + key.length + text.length)
      command[0] = key.length
      command.latin1Write(key, 1)
      command.latin1Write(text, 1 + key.length)
      return command
    },
    apply(_index, command) {
      const bytes = Buffer.from(command.buffer, command.byteOffset, command.byteLength)
      const end = 1 + bytes[0]
      keys.set(bytes.latin1Slice(1, end), bytes.latin1Slice(end))
      return done
    },
    *snapshot() {
      const all = [...keys]
      for (let at = 0; at < all.length; at += 1_000) {
        yield new TextEncoder().encode(JSON.stringify(all.slice(at, at + 1_000)))
      }
    },
    restore(pieces) {
      keys = new Map(pieces.flatMap((piece) => JSON.parse(new TextDecoder().decode(piece))))
    },
  }
}

async function raftMember() {
  const machine = keysMachine()
  const host = await raftHost({
    ...{ runtime, id, folder, listen, machine, clusterId: 'bench' },
    bootstrap: {
      voters: Object.keys(addresses),
      outgoing: [],
      learners: [],
      retired: [],
      addresses,
    },
    ...options,
  })
  const wait = { timeoutMs: 60_000 }
  return {
    status: () => host.status(),
    put: (key, text) => host.propose(machine.put(key, text), wait),
    async get(key) {
      await host.readBarrier('quorum', wait)
      return machine.get(key)
    },
    compact: () => host.compact(),
  }
}

async function driverMember() {
  const member = await clusterMember(runtime, { id, listen, peers, folder, ...options })
  const { records } = clusterStores(runtime, {
    members: [listen],
    namespace: `bench-${id}`,
    ...(options.secret ? { secret: options.secret } : {}),
  })
  return {
    status: () => member.status(),
    put: (key, value) => records.put({ space: 's', key, value, expected: 'any' }),
    get: async (key) => (await records.get('s', key))?.value,
  }
}

const member = await (kind === 'raft' ? raftMember() : driverMember())

const orders = {
  async load({ what, width, ms, text = value }) {
    const put = (lane, count) => member.put(keyOf(lane, count), text)
    if (what === 'put') return load(ms, width, put)
    for (let count = 0; count < 100; count++) await put(0, count)
    return load(ms, width, async (_lane, count) => {
      if ((await member.get(keyOf(0, count))) !== text) throw new Error('not what was put')
    })
  },
  async fill({ entries, width }) {
    let next = 0
    const lane = async (number) => {
      while (next < entries) await member.put(keyOf(number, next++), value)
    }
    await Promise.all(Array.from({ length: width }, (_, number) => lane(number)))
  },
  async status() {
    const { role, applied, snapshotIndex, logBytes } = member.status()
    const { rss, heapUsed } = process.memoryUsage()
    return { role, applied, snapshotIndex, logBytes, rss, heapUsed }
  },
  compact: () => member.compact(),
}

process.on('message', ({ number, order, ...rest }) => {
  orders[order](rest).then(
    (answer) => process.send({ number, answer }),
    (error) => process.send({ number, error: `${error.stack}` }),
  )
})
// In good order, so that a profile is written.
process.on('SIGTERM', () => process.exit(0))
// Whoever started it is gone.
process.on('disconnect', () => process.exit(0))
process.send({ up: true })
