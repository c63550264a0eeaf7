// One member in a process that may be killed, stopped and starved. It dials the others through the wires of the
// trial, and says which part it plays. Two things can be wrong with it on purpose: a disk that refuses to sync
// from a given moment on, and (the planted bug) answers that do not wait for the disk.
import { startMember } from '../../dist/drivers/cluster/member.js'
import { raftStorage } from '../../dist/hosts/raft/storage.js'
import { nodeRuntime } from '../../dist/runtime/node/index.js'

const { id, addresses, folder, wires, electionMs, snapshotEveryEntries, answersEarly } = JSON.parse(
  process.argv[2] ?? '{}',
)
const real = nodeRuntime({ process: id })
const names = Object.fromEntries(Object.entries(addresses).map(([name, at]) => [at, name]))
let refusesToSync = false

/** The same network, but for what it says first: from whom to whom. */
const network = {
  listen: real.network.listen,
  bind: real.network.bind,
  async connect(address, options) {
    const stream = await real.network.connect(wires, options)
    stream.write(new TextEncoder().encode(`${id} ${names[address]}\n`))
    return stream
  },
}

const disk = {
  ...real.disk,
  async open(path, mode) {
    const file = await real.disk.open(path, mode)
    const sync = () =>
      refusesToSync ? Promise.reject(new Error('the trial’s disk does not sync')) : file.sync()
    return { ...file, sync }
  },
}

/** The bug: a write counts before it is on disk. */
async function earlyStorage(runtime, options) {
  const storage = await raftStorage(runtime, options)
  let behind = Promise.resolve()
  return {
    ...storage,
    async write(batch) {
      behind = behind
        .then(() => new Promise((resolve) => setTimeout(resolve, 150)))
        .then(() => storage.write(batch))
        .catch(() => {})
    },
  }
}

const { [id]: listen, ...peers } = addresses
const member = await startMember(
  { ...real, network, disk },
  { id, listen, peers, folder, electionMs, snapshotEveryEntries },
  answersEarly ? { host: { openStorage: earlyStorage } } : {},
)

let said = ''
const say = () => {
  const { role, term } = member.status()
  const now = `${role} ${term}`
  if (now !== said && process.connected) process.send({ role, term })
  said = now
}
say()
setInterval(say, 10)
member.stopped.then((reason) => {
  const tell = { stopped: reason.kind, why: String(reason.error?.message ?? '') }
  if (process.connected) process.send(tell, () => process.exit(3))
})
process.on('message', ({ order }) => {
  if (order === 'refuse to sync') refusesToSync = true
})
process.on('disconnect', () => process.exit(0))
