// What does the write-ahead log cost beside the bare disk? The floor writes the same payloads to the end of one
// file and calls fdatasync after each batch; the log adds headers, checksums, segments and its queue.
//
//   node bench/log.mjs [folder] [--rounds 5] [--batches 1,64,256] [--payload 100]
//
// Rounds alternate between the two, so that both meet the same noise; figures are the median round, and the
// ratio is the median of the rounds' ratios. At the end: how long a start takes with a million records.
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openLog } from 'holdfast/hosts/log'
import { nodeRuntime } from 'holdfast/runtime/node'

const { values: args, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    batches: { type: 'string', default: '1,64,256' },
    payload: { type: 'string', default: '100' },
    records: { type: 'string', default: '1000000' },
  },
})
const folder = mkdtempSync(join(positionals[0] ?? tmpdir(), 'holdfast-bench-'))
const rounds = Number(args.rounds)
const roundMs = 700
const runtime = nodeRuntime()
const payload = new Uint8Array(Number(args.payload)).fill(7)
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]
const report = (row) => console.log(JSON.stringify(row))
const logAt = (name, replay = () => {}) =>
  openLog(runtime.disk, {
    folder: join(folder, name),
    logId: '0'.repeat(32),
    mustExist: false,
    opening: () => new Uint8Array(0),
    replay,
  })

/** Batches a second, in one round. */
async function rate(write) {
  let batches = 0
  const start = performance.now()
  while (performance.now() - start < roundMs) {
    await write()
    batches++
  }
  return (batches * 1_000) / (performance.now() - start)
}

async function floorOf(batch) {
  const file = await open(join(folder, `floor-${batch}`), 'w')
  const bytes = Buffer.alloc(payload.length * batch, 7)
  let position = 0
  const write = async () => {
    await file.write(bytes, 0, bytes.length, position)
    position += bytes.length
    await file.datasync()
  }
  return { write, close: () => file.close() }
}

for (const batch of args.batches.split(',').map(Number)) {
  const floor = await floorOf(batch)
  const log = await logAt(`log-${batch}`)
  const records = Array.from({ length: batch }, () => payload)
  const figures = { floor: [], log: [] }
  await floor.write()
  await log.append(records, { sync: true })
  for (let round = 0; round < rounds; round++) {
    figures.floor.push(await rate(floor.write))
    figures.log.push(await rate(() => log.append(records, { sync: true })))
  }
  const ratios = figures.log.map((value, round) => value / figures.floor[round])
  report({
    batch,
    floorPerSecond: Math.round(median(figures.floor)),
    logPerSecond: Math.round(median(figures.log)),
    ratio: Number(median(ratios).toFixed(2)),
  })
  await floor.close()
  await log.close()
}

const count = Number(args.records)
const filled = await logAt('start')
for (let done = 0; done < count; done += 1_000) {
  const batch = Array.from({ length: Math.min(1_000, count - done) }, () => payload)
  await filled.append(batch, { sync: done % 50_000 === 0 })
}
await filled.close()
let found = 0
const startMs = performance.now()
const again = await logAt('start', ({ kind }) => {
  if (kind === 'data') found++
})
report({ records: found, startMs: Math.round(performance.now() - startMs) })
await again.close()
await runtime.close()
rmSync(folder, { recursive: true })
