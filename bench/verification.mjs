/**
 * How fast the linearizability judge is on public histories: Porcupine's 102 Jepsen logs of etcd and its
 * key-value histories, on one core, reading not counted. For comparison, Porcupine itself (Go, 2026, with state
 * hashing) took 0.42 s for the logs and 0.26 s for c50-ok on two cores of the machine where this was written.
 *
 *     node bench/verification.mjs
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import {
  casRegister,
  casRegisterMeaning,
  checkLinearizability,
  keyValue,
  keyValueMeaning,
  paired,
  perKey,
  readHistory,
  translated,
} from 'holdfast/verification'

const folder = new URL('../tests/histories/porcupine/', import.meta.url)
const histories = JSON.parse(gunzipSync(readFileSync(new URL('histories.json.gz', folder))))
const verdicts = JSON.parse(readFileSync(new URL('verdicts.json', folder)))

function prepared(name) {
  const log = name.endsWith('.log')
  const recorded = paired(readHistory([histories[name]], log ? 'jepsen-log' : 'kv-text'))
  return {
    name,
    model: perKey(log ? casRegister() : keyValue('')),
    ...translated(recorded, log ? casRegisterMeaning : keyValueMeaning, { failedCas: 'observed' }),
  }
}

function timed(names) {
  const all = names.map(prepared)
  const startedMs = performance.now()
  let steps = 0
  for (const { name, model, operations } of all) {
    const report = checkLinearizability(operations, model)
    if (report.verdict !== verdicts[name]) throw new Error(`${name}: ${report.verdict}`)
    steps += report.steps
  }
  return { ms: performance.now() - startedMs, steps }
}

const names = Object.keys(verdicts)
const groups = [
  ['102 etcd logs', names.filter((name) => name.endsWith('.log')), 1_500],
  ...names.filter((name) => name.endsWith('.txt')).map((name) => [name, [name], 1_000]),
]
let late = false
console.log('history          first ms   best of 5 ms       steps   bar ms')
for (const [title, chosen, barMs] of groups) {
  const runs = Array.from({ length: 5 }, () => timed(chosen))
  const best = Math.min(...runs.map(({ ms }) => ms))
  late ||= best > barMs
  console.log(
    title.padEnd(14),
    runs[0].ms.toFixed(0).padStart(10),
    best.toFixed(0).padStart(14),
    String(runs[0].steps).padStart(11),
    String(barMs).padStart(8),
  )
}

// One register, a million operations of eight clients that keep overlapping.
const operations = []
let value = 0
for (let at = 0; operations.length < 1_000_000; at += 8) {
  for (let client = 0; client < 8; client++) {
    const write = client === 0
    const calledAt = at + client * 0.1
    const returnedAt = at + 7 + client * 0.1
    const input = write ? { type: 'write', value: ++value } : { type: 'read' }
    const output = write ? {} : { output: client % 2 === 0 && value > 1 ? value - 1 : value }
    operations.push({ process: client, input, ...output, calledAt, returnedAt })
  }
}
const startedMs = performance.now()
const { verdict, steps } = checkLinearizability(operations, casRegister())
const seconds = (performance.now() - startedMs) / 1_000
const megabytes = process.memoryUsage().rss / 2 ** 20
console.log(
  `1,000,000 operations on one register: ${verdict}, ${seconds.toFixed(1)} s, `.concat(
    `${steps} steps, ${megabytes.toFixed(0)} MB resident`,
  ),
)
process.exitCode = late ? 1 : 0
