// How soon does a commit in one process wake a waiter in another, and what do commits cost? The floor
// beside it is the disk's own: one appended page and one fdatasync at a time.
//
//   node bench/commit-to-wake.mjs [folder]
//
// Prints one JSON line per figure, then a table. The folder decides the disk; default is under `tmp`.
import { fork } from 'node:child_process'
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { nodeRuntime } from 'holdfast/runtime/node'

const migrations = ['CREATE TABLE t (k INTEGER PRIMARY KEY, who TEXT, v TEXT)']
const insert = (who, durability, hints = []) => ({
  statements: [
    { sql: 'INSERT INTO t (who, v) VALUES (?1, ?2)', parameters: [who, 'x'.repeat(100)] },
  ],
  durability,
  hints,
})
const passMs = (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs))
const role = process.argv[2]

if (role === 'listener') await listener(process.argv[3])
else if (role === 'load') await load(process.argv[3])
else await main(role ?? tmpdir())

async function listener(path) {
  const runtime = nodeRuntime()
  const file = await runtime.sql.open({ path, migrations })
  file.listen('ping', () => process.send(runtime.clock.monotonicMs()))
  await file.run(insert('listener', 'relaxed'))
  process.on('disconnect', () => runtime.close())
}

/** Sixteen callers without a pause: the write lock is nearly always taken. */
async function load(path) {
  const runtime = nodeRuntime()
  const file = await runtime.sql.open({ path, migrations, busyMs: 60_000 })
  let going = true
  process.on('disconnect', () => {
    going = false
  })
  process.send('started')
  const lane = async () => {
    while (going) await file.run(insert('load', 'full'))
  }
  await Promise.all(Array.from({ length: 16 }, lane))
  await runtime.close()
}

async function main(parent) {
  const folder = mkdtempSync(join(parent, 'holdfast-bench-'))
  const rows = []
  const report = (row) => {
    rows.push(row)
    console.log(JSON.stringify(row))
  }
  try {
    report({ figure: 'floor: append and fdatasync', perSecond: floor(folder) })
    for (const durability of ['full', 'relaxed']) {
      for (const concurrency of [1, 16, 256]) {
        report(await throughput(join(folder, 'throughput.db'), durability, concurrency))
      }
    }
    report(await wakes(join(folder, 'idle.db'), 'idle', 'full', 400))
    report(await wakes(join(folder, 'idle.db'), 'idle', 'relaxed', 400))
    report(await wakes(join(folder, 'loaded.db'), 'under load', 'full', 200))
    console.table(rows)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function floor(folder) {
  const file = openSync(join(folder, 'floor'), 'w')
  const page = Buffer.alloc(4_096, 1)
  const untilMs = performance.now() + 1_000
  let count = 0
  for (; performance.now() < untilMs; count++) {
    writeSync(file, page)
    fdatasyncSync(file)
  }
  closeSync(file)
  return count
}

async function throughput(path, durability, concurrency) {
  const runtime = nodeRuntime()
  const file = await runtime.sql.open({ path, migrations })
  const loop = monitorEventLoopDelay({ resolution: 1 })
  const took = []
  const startMs = performance.now()
  const endMs = startMs + 2_000
  loop.enable()
  const lane = async () => {
    for (let nowMs = startMs; nowMs < endMs; ) {
      await file.run(insert('me', durability))
      const doneMs = performance.now()
      took.push(doneMs - nowMs)
      nowMs = doneMs
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  loop.disable()
  const perSecond = Math.round((took.length * 1_000) / (performance.now() - startMs))
  await runtime.close()
  return {
    figure: `batches, ${durability}, ${concurrency} at once`,
    perSecond,
    ...quantiles(took),
    loopDelayP99Ms: round(loop.percentile(99) / 1e6),
  }
}

/** From the call of `run` to the callback in the other process, both on the machine's own clock. */
async function wakes(path, label, durability, count) {
  const runtime = nodeRuntime()
  const file = await runtime.sql.open({ path, migrations, busyMs: 60_000 })
  const ears = fork(import.meta.filename, ['listener', path])
  await new Promise((resolve) => ears.once('message', resolve)) // the start wakes once
  await passMs(200)
  let noise
  if (label !== 'idle') {
    noise = fork(import.meta.filename, ['load', path])
    await new Promise((resolve) => noise.once('message', resolve))
    await passMs(200)
  }
  const fromCall = []
  const fromAnswer = []
  let lost = 0
  for (let n = 0; n < count; n++) {
    await passMs(5 + Math.random() * 10)
    const woken = new Promise((resolve) => ears.once('message', resolve))
    const calledMs = runtime.clock.monotonicMs()
    await file.run(insert('me', durability, ['ping']))
    const answeredMs = runtime.clock.monotonicMs()
    const wokenMs = await Promise.race([woken, passMs(2_000)])
    if (wokenMs === undefined) lost++
    else {
      fromCall.push(wokenMs - calledMs)
      fromAnswer.push(Math.max(0, wokenMs - answeredMs))
    }
  }
  for (const child of [ears, noise]) {
    if (!child) continue
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.disconnect()
    await gone
  }
  await runtime.close()
  return {
    figure: `call to wake elsewhere, ${durability}, ${label}`,
    lost,
    ...quantiles(fromCall),
    afterAnswerP99Ms: quantiles(fromAnswer).p99Ms,
  }
}

function quantiles(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))])
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

function round(value) {
  return Math.round(value * 100) / 100
}
