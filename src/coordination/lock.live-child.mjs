// A process for the tests to kill and stop. It runs the built package, as a user's would.
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { acceptFence, fenceTable, lock } from '../../dist/coordination/index.js'
import { embedded, embeddedDatabase } from '../../dist/drivers/embedded/index.js'
import { nodeRuntime } from '../../dist/runtime/node/index.js'

const [role, folder, ttl = '1000'] = process.argv.slice(2)
const ttlMs = Number(ttl)
const say = (text) => writeSync(1, `${text}\n`)
const pass = (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs))

const runtime = nodeRuntime({ process: role })
const stores = await embedded(runtime, { path: join(folder, 'leases.db'), namespace: 'live' })
const table = 'CREATE TABLE effect (who TEXT NOT NULL, token INTEGER NOT NULL)'
const path = join(folder, 'data.db')
const data = await embeddedDatabase(runtime, { path, migrations: [fenceTable, table] })
const held = await lock(runtime, stores.leases, 'job', { ttlMs })
say(`held ${held.token}`)

async function write() {
  const { refusedAt } = await data.run({
    statements: [
      acceptFence('live', 'job', held.token),
      { sql: 'INSERT INTO effect VALUES (?1, ?2)', parameters: [role, held.token] },
    ],
  })
  say(refusedAt === undefined ? 'write accepted' : 'write refused')
}

function blockEventLoop(durationMs) {
  const endMs = Date.now() + durationMs
  while (Date.now() < endMs);
}

await write()
if (role === 'blocked') {
  blockEventLoop(3 * ttlMs)
  // No timer has had a chance to fire; the check reads the clock.
  say(`aborted ${held.signal.aborted}, held ${held.isHeld()}`)
}
if (role !== 'next') {
  while (held.isHeld()) await pass(5)
  await pass(5)
  say(`lost ${held.signal.aborted} ${held.signal.reason?.code}`)
  await write()
  say(`released ${await held.release()}`)
} else {
  process.stdin.resume()
  await new Promise((resolve) => process.stdin.once('end', resolve))
  say(`still held ${held.isHeld()}`)
  say(`released ${await held.release()}`)
}
await data.close()
await stores.close()
await runtime.close()
process.exit(0)
