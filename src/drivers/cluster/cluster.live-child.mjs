// A member for the tests to kill. It runs the built package, as a user's would.
import { writeSync } from 'node:fs'
import { clusterMember } from '../../../dist/drivers/cluster/index.js'
import { nodeRuntime } from '../../../dist/runtime/node/index.js'

const [id, folder, peers] = process.argv.slice(2)
const all = JSON.parse(peers)
const member = await clusterMember(nodeRuntime({ process: id }), {
  id,
  listen: all[id],
  peers: all,
  folder,
  electionMs: 500,
})
writeSync(1, `serving ${member.address}\n`)
setInterval(() => {
  const { role, term } = member.status()
  writeSync(1, `${role} ${term}\n`)
}, 50)
