/**
 * Random lives of the pure Raft machine, by the hundred thousand: what `schedule.sim.test.ts` does a few
 * thousand times, kept in a ledger that resumes. A life counts if it saw three elections and a snapshot
 * or a change of configuration. The ledger's lines name the code by a hash of the folder; other code
 * begins at its first seed again.
 *
 *   node scripts/raft-lives.mjs [--minutes 10] [--until 1000000] [--workers 2] [--nice 10]
 *
 * Exit code 1: a life broke a property; its seed is printed.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { root } from './sources.mjs'

const chunk = 10_000
const folder = join(root, 'src', 'protocols', 'raft')
const ledger = join(root, 'docs', 'raft-lives.jsonl')

if (isMainThread) process.exitCode = await lead()
else await work()

async function work() {
  const { live } = await import(workerData.module)
  parentPort.on('message', (first) => {
    const line = { first, lives: chunk, counted: 0, elections: 0, reached: {}, broken: [] }
    for (let seed = first; seed < first + chunk; seed++) {
      const life = live({ seed })
      if (life.broken !== undefined) line.broken.push({ seed, broken: life.broken })
      if (life.eventful) line.counted += 1
      line.elections += life.elections
      for (const [what, count] of life.reached)
        line.reached[what] = (line.reached[what] ?? 0) + count
    }
    parentPort.postMessage(line)
  })
}

async function lead() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      until: { type: 'string', default: '1000000' },
      workers: { type: 'string', default: '2' },
      nice: { type: 'string', default: '10' },
    },
  })
  setPriority(Number(values.nice))
  const { build } = await import('tsdown')
  const out = mkdtempSync(join(tmpdir(), 'holdfast-lives-'))
  const entry = join(folder, 'schedule.sim.ts')
  await build({ entry, outDir: out, format: 'esm', dts: false, logLevel: 'warn', config: false })
  const [file] = readdirSync(out).filter((name) => name.startsWith('schedule'))
  const code = hashOf(folder)
  const done = linesOf(code)
  const endMs = Date.now() + Number(values.minutes) * 60_000
  let next = done.reduce((latest, { first, lives }) => Math.max(latest, first + lives), 1)
  let counted = done.reduce((sum, line) => sum + line.counted, 0)
  let broken = done.flatMap((line) => line.broken)
  console.log(`code ${code}: ${counted} lives count so far; on from seed ${next}`)
  const module = pathToFileURL(join(out, file)).href
  const before = counted
  const startedMs = Date.now()

  /** Chunks may end in any order; a line is written for each, so a gap can only be the last few. */
  const runs = Array.from({ length: Number(values.workers) }, () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { module } })
    return new Promise((resolve, reject) => {
      const more = () => {
        if (Date.now() > endMs || counted >= Number(values.until) || broken.length > 0) {
          return worker.terminate().then(resolve)
        }
        worker.postMessage(next)
        next += chunk
      }
      worker.on('error', reject)
      worker.on('message', (line) => {
        appendFileSync(ledger, `${JSON.stringify({ format: 1, code, ...line })}\n`)
        counted += line.counted
        broken = [...broken, ...line.broken]
        const perSecond = ((counted - before) / (Date.now() - startedMs)) * 1_000
        process.stdout.write(`\r${counted} lives count, ${perSecond.toFixed(0)} a second `)
        more()
      })
      more()
    })
  })
  await Promise.all(runs)
  rmSync(out, { recursive: true, force: true })
  summarize(linesOf(code))
  return broken.length > 0 ? 1 : 0
}

function hashOf(path) {
  const hash = createHash('sha256')
  for (const name of readdirSync(path).sort()) {
    if (/\.ts$/.test(name) && !name.endsWith('.test.ts'))
      hash.update(readFileSync(join(path, name)))
  }
  return hash.digest('hex').slice(0, 16)
}

function linesOf(code) {
  if (!existsSync(ledger)) return []
  const lines = readFileSync(ledger, 'utf8').split('\n')
  // The last line may be cut off by a kill.
  const whole = lines.slice(0, -1)
  return whole.map((line) => JSON.parse(line)).filter((line) => line.code === code)
}

function summarize(lines) {
  const sum = (pick) => lines.reduce((total, line) => total + pick(line), 0)
  const reached = {}
  for (const line of lines) {
    for (const [what, count] of Object.entries(line.reached)) {
      reached[what] = (reached[what] ?? 0) + count
    }
  }
  console.log(
    `\n${sum((line) => line.lives)} lives, ${sum((line) => line.counted)} count, ` +
      `${sum((line) => line.elections)} elections, ${lines.flatMap((line) => line.broken).length} broken`,
  )
  for (const [what, count] of Object.entries(reached).sort()) console.log(`  ${what} ${count}`)
  for (const { seed, broken } of lines.flatMap((line) => line.broken)) {
    console.log(`seed ${seed}: ${broken}`)
  }
}
