// A process for the tests to kill, stop and starve. It runs the built package, as a user's would.
import { writeSync } from 'node:fs'
import { nodeRuntime } from '../../../dist/runtime/node/index.js'

const [role, path, name = '', limit = '0'] = process.argv.slice(2)
const migrations = [
  `CREATE TABLE debit (who TEXT, n INTEGER, PRIMARY KEY (who, n)) WITHOUT ROWID;
   CREATE TABLE credit (who TEXT, n INTEGER, PRIMARY KEY (who, n)) WITHOUT ROWID;
   CREATE TABLE bulk (x)`,
]
// At once and whole, so that a kill loses no line; the reader may be slow, and then the pipe is full.
const say = (text) => {
  for (;;) {
    try {
      writeSync(1, `${text}\n`)
      return
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}
const runtime = nodeRuntime({ process: name })
const file = await runtime.sql.open({ path, migrations, busyMs: 20_000 })

// Two rows in two tables: a torn batch would be seen.
const pair = (n, hints = []) => ({
  statements: [
    { sql: 'INSERT INTO debit VALUES (?1, ?2)', parameters: [name, n], expect: 1 },
    { sql: 'INSERT INTO credit VALUES (?1, ?2)', parameters: [name, n], expect: 1 },
  ],
  durability: n % 2 ? 'full' : 'relaxed',
  hints,
})

/** Four at a time without end, each told as soon as it is answered. */
async function write(tellEarly) {
  let next = 0
  const lane = async () => {
    for (;;) {
      const n = next++
      if (tellEarly) say(`acked ${n}`)
      await file.run(pair(n))
      if (!tellEarly) say(`acked ${n}`)
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
}

/** Long commits, so that a stop finds the lock held. */
async function hold() {
  const sql = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300000)
    INSERT INTO bulk SELECT x FROM c`
  for (;;) {
    await file.run({ statements: [{ sql }, { sql: 'DELETE FROM bulk' }], durability: 'relaxed' })
    say('held')
  }
}

async function fill() {
  const statement = { sql: 'INSERT INTO bulk VALUES (zeroblob(?1))', parameters: [20_000] }
  for (let n = 0; n < Number(limit); n++) {
    try {
      await file.run({ statements: [statement] })
      say(`acked ${n}`)
    } catch (error) {
      say(`failed ${error.code} ${error.outcome}`)
      break
    }
  }
  say('done')
}

if (role === 'write') await write(false)
if (role === 'write-tell-early') await write(true)
if (role === 'hold') await hold()
if (role === 'fill') await fill()
if (role === 'listen') {
  file.listen('ping', () => say('woken'))
  await file.run({ statements: [{ sql: 'SELECT 1' }] })
  say('listening')
  runtime.timers.schedule(3_600_000, () => {})
}
if (role === 'idle') file.listen('ping', () => {})
if (role === 'exit') {
  setTimeout(() => process.exit(0), 5 + Math.random() * 6)
  let n = 0
  for (;;) await Promise.all(Array.from({ length: 20 }, () => file.run(pair(n++))))
}
if (role === 'leave') void file.run(pair(1)) // nobody waits, and yet it must be done
if (role === 'sync') {
  for (let n = 0; n < Number(limit); n++) await file.run({ ...pair(n), durability: name })
  say('done')
}
