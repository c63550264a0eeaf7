// A member's storage in a process of its own, to be killed. It runs the built package, as a user's would.
// Says what it found, then what is durable. Every entry carries its index and is checked at each start.
import { writeSync } from 'node:fs'
import { raftStorage } from '../../../dist/hosts/raft/storage.js'
import { nodeRuntime } from '../../../dist/runtime/node/index.js'

const [folder] = process.argv.slice(2)
const say = (text) => writeSync(1, `${text}\n`)
const runtime = nodeRuntime({ process: 'member' })
const configuration = { voters: ['a'], outgoing: [], learners: [], addresses: {}, retired: [] }
const options = { folder, id: 'a', bootstrap: configuration, segmentBytes: 65_536 }

function data(index) {
  const bytes = Buffer.alloc(20 + (index % 700), index)
  bytes.writeDoubleLE(index)
  return new Uint8Array(bytes)
}

const storage = await raftStorage(runtime, options)
const { entries, snapshot, term, commit } = storage.restored
let last = snapshot.index
for (const entry of entries) {
  const right = entry.index === last + 1 && Buffer.compare(entry.data, data(entry.index)) === 0
  if (!right) say(`wrong ${entry.index} after ${last}`)
  last = entry.index
}
const stored = await storage.readSnapshot()
const [piece] = (await stored?.pieces()) ?? []
if (snapshot.index !== 0 && Buffer.from(piece).readDoubleLE() !== snapshot.index)
  say('wrong picture')
await stored?.close()
say(`found ${last} term ${term} commit ${commit}`)

let saved = snapshot.index
for (let round = 1; ; round++) {
  const count = 1 + (round % 40)
  const entries = Array.from({ length: count }, (_, at) => {
    const index = last + 1 + at
    return { kind: 'command', term: term + 1, index, data: data(index) }
  })
  const write = { ticket: round, term: term + 1, vote: 'a', commit: last, keepUntil: last, entries }
  await storage.write([{ ...write, sync: true }])
  last += count
  say(`durable ${last} term ${term + 1}`)
  if (last - saved < 1_000) continue
  saved = last
  const mark = { index: last, term: term + 1, configuration }
  await storage.saveSnapshot(mark, [data(last), new Uint8Array(200_000)])
  await storage.compact(mark, last - 200)
}
