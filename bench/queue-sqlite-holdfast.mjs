// What does a queue cost on the embedded driver, beside SQLite itself? The floor is libsql called directly
// and synchronously: a row in, a row claimed, a row deleted, each step a commit, no leases, no receipts,
// no counters. Holdfast does the same through its worker: publish, claim, settle.
//
//   node bench/queue-sqlite-holdfast.mjs [folder]
//
// Rounds alternate between the two, so that both meet the same noise; the figure is the median round.
// Then: does the cost grow with the length of the queue? Prints one JSON line per figure.
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedded } from 'holdfast/drivers/embedded'
import { nodeRuntime } from 'holdfast/runtime/node'

const Database = createRequire(import.meta.url)('libsql')
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'holdfast-bench-'))
const roundMs = 700
const rounds = 5
const body = 'x'.repeat(100)
const runtime = nodeRuntime()

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]
const report = (row) => console.log(JSON.stringify(row))

/** Jobs a second, in one round of one lane or several. */
async function rate(job, batch, lanes = 1) {
  let jobs = 0
  const start = performance.now()
  const lane = async () => {
    while (performance.now() - start < roundMs) {
      await job()
      jobs += batch
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return (jobs * 1_000) / (performance.now() - start)
}

function floor(synchronous) {
  const db = new Database(join(folder, `floor-${synchronous}.db`))
  db.exec(`pragma journal_mode = wal`)
  db.exec(`pragma synchronous = ${synchronous}`)
  db.exec(`create table q (id integer primary key, taken int not null default 0, p text) strict`)
  db.exec(`create index untaken on q (id) where taken = 0`)
  const insert = db.prepare(`insert into q (p) values (?)`)
  const claim = db.prepare(`update q set taken = 1 where id in
    (select id from q where taken = 0 order by id limit ?) returning id, p`)
  const remove = db.prepare(`delete from q where id = ?`)
  const many = (statement, values) => {
    if (values.length > 1) db.exec('begin immediate')
    for (const value of values) statement.run(value)
    if (values.length > 1) db.exec('commit')
  }
  return (batch) => {
    const bodies = Array(batch).fill(body)
    return async () => {
      many(insert, bodies)
      const jobs = claim.all(batch)
      if (jobs.length !== batch) throw new Error('the floor lost a job')
      many(
        remove,
        jobs.map((job) => job.id),
      )
    }
  }
}

let ids = 0
const messages = (count, more) =>
  Array.from({ length: count }, () => {
    ids += 1
    return { id: `m${ids}`, kind: 'job', body, ...more }
  })

async function queue(durability, name, dedupMs) {
  const { work } = await embedded(runtime, {
    path: join(folder, `holdfast-${durability}.db`),
    namespace: 'bench',
    durability: { work: durability },
  })
  await work.declare(name, { lengthMax: 10_000_000, overflow: 'reject', dedupMs })
  const claim = (limit) =>
    work.claim(name, { limit, leaseMs: 60_000, consumer: 'bench', kinds: ['job'] })
  const settle = (deliveries) =>
    work.settle(
      name,
      deliveries.map(({ receipt }) => ({ receipt, outcome: 'done' })),
    )
  const job = (batch) => async () => {
    await work.publish(name, messages(batch))
    const deliveries = await claim(batch)
    if (deliveries.length > 0) await settle(deliveries)
  }
  return { work, claim, settle, job }
}

async function throughput() {
  for (const [durability, synchronous] of [
    ['full', 'full'],
    ['relaxed', 'normal'],
  ]) {
    const raw = floor(synchronous)
    const plain = await queue(durability, 'plain', 0)
    const dedup = await queue(durability, 'dedup', 60_000)
    for (const batch of [1, 100]) {
      const contestants = {
        'libsql, raw': [raw(batch), 1],
        holdfast: [plain.job(batch), 1],
        'holdfast, dedup': [dedup.job(batch), 1],
        'holdfast, 16 lanes': [plain.job(batch), 16],
      }
      const figures = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]))
      for (let round = 0; round <= rounds; round += 1) {
        for (const [name, [job, lanes]] of Object.entries(contestants)) {
          const perSecond = await rate(job, batch, lanes)
          // The first round warms up.
          if (round > 0) figures[name].push(perSecond)
        }
      }
      const base = median(figures['libsql, raw'])
      for (const [name, values] of Object.entries(figures)) {
        const value = median(values)
        report({
          metric: `${durability}-batch-${batch}`,
          name,
          jobsPerSecond: Math.round(value),
          ofRaw: Number((value / base).toFixed(3)),
        })
      }
    }
  }
}

/** Each question at a length, in milliseconds: the median of many. */
async function flatness() {
  const { work, claim, settle } = await queue('relaxed', 'long', 60_000)
  const timed = async (question) => {
    const took = []
    for (let n = 0; n < 200; n += 1) {
      const start = performance.now()
      await question()
      took.push(performance.now() - start)
    }
    return Number(median(took).toFixed(3))
  }
  let length = 0
  for (const target of [1_000, 100_000, 300_000]) {
    for (; length < target; length += 1_000) {
      const more = length % 2_000 === 0 ? {} : { delayMs: 86_400_000 }
      await work.publish('long', messages(1_000, more))
    }
    const publishMs = await timed(() => work.publish('long', messages(1)))
    const claimAndSettleMs = await timed(async () => settle(await claim(1)))
    const statsMs = await timed(() => work.stats('long'))
    report({ metric: 'length', messages: target, publishMs, claimAndSettleMs, statsMs })
  }
}

try {
  await throughput()
  await flatness()
} finally {
  await runtime.close()
  rmSync(folder, { recursive: true, force: true })
}
