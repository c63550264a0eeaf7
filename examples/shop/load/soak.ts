/**
 * Does anything pile up? Customers order at a steady rate for some minutes, and the memory, the open files
 * and the threads of every process are noted as it goes (Linux). Memory grows at first, while caches and
 * compiled code settle: compare the later lines.
 *
 *   node build/shop/load/soak.js [--minutes 5] [--rate 30]
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { customers } from './customers.ts'
import { shopClient } from './shop-client.ts'
import { startShop } from './shop-process.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    rate: { type: 'string', default: '30' },
  },
})
const lines = 10
/** After the rush, so that connections kept alive have ended. */
const restMs = 10_000
const filesSlack = 12

interface Footprint {
  readonly residentMb: number
  readonly files: number
  readonly threads: number
}

function footprint(pid: number): Footprint {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  const files = readdirSync(`/proc/${pid}/fd`).length
  return { residentMb: Math.round(field('VmRSS') / 1_024), files, threads: field('Threads') }
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const dataFolder = await mkdtemp(join(tmpdir(), 'holdfast-soak-'))
const warnings: string[] = []
const shop = await startShop({
  dataFolder,
  port: 0,
  log: (text) => {
    if (/warning/i.test(text)) warnings.push(text)
  },
})
const client = shopClient(shop.url)
const listed =
  (await client.read<readonly { instance: string; pid: number }[]>('/api/processes')) ?? []
const all = [{ instance: 'supervisor', pid: shop.pid }, ...listed]
const crowd = customers(client, { rate: Number(values.rate), seed: 1, run: 'soak' })
const footprints: Footprint[][] = []

say(`MB resident / open files; ${all.map(({ instance }) => instance).join(', ')}`)
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
function note(): void {
  const now = all.map(({ pid }) => footprint(pid))
  footprints.push(now)
  const cells = now.map(({ residentMb, files }) => `${residentMb}/${files}`.padStart(8))
  say(`${String(crowd.placed.length).padStart(7)} orders: ${cells.join(' ')}`)
}
for (let line = 0; line < lines; line++) {
  note()
  await wait((Number(values.minutes) * 60_000) / lines)
}
await crowd.finish(performance.now() + 60_000)
await wait(restMs)
note()

const problems = [
  ...warnings.map((text) => `warning: ${text}`),
  ...all.flatMap(({ instance }, index) => {
    // The second line: by then every connection that stays open has been made.
    const first = footprints[1]?.[index]?.files ?? 0
    const last = footprints[lines]?.[index]?.files ?? 0
    return last > first + filesSlack
      ? [`${instance}: open files went from ${first} to ${last}`]
      : []
  }),
  ...(crowd.unfinished().length > 0 ? [`${crowd.unfinished().length} orders have not ended`] : []),
]
const code = await shop.stop()
if (code !== 0) problems.push(`the shop ended with ${code}`)
for (const problem of problems) say(`PROBLEM ${problem}`)
say(`${crowd.placed.length} orders, ${problems.length} problems`)
rmSync(dataFolder, { recursive: true, force: true })
process.exitCode = problems.length === 0 ? 0 : 1
