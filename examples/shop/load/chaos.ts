/**
 * The trial of the shop: customers order while processes are killed in every step of an order, paused for
 * longer than any lease, and the whole shop is killed; then every order must have ended as it should, and
 * every piece and cent be where the customers' own account says. Every step must have had its kill.
 *
 *   npm run shop:chaos -- [--kills 100] [--shop-kills 2] [--pauses 4] [--rate 40] [--seed 1] [--expect-broken]
 *   npm run shop:chaos -- --cluster [--leader-kills 10] [--kills 20]
 *
 * With `--cluster` leases and registry are in a cluster of three members, whose leader is killed, too.
 * With `--expect-broken` the trial succeeds if the invariants turn red: for runs with a planted bug
 * (`HOLDFAST_SHOP_BUG=lost-compensation`).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openingBalanceCents, openingStock, skus, users } from '../shared/catalog.ts'
import { type Aim, aim } from './aim.ts'
import { chance } from './chance.ts'
import { absurdSku, audit, type Customers, customers } from './customers.ts'
import { type ShopClient, shopClient } from './shop-client.ts'
import { type ShopProcess, startShop } from './shop-process.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    'shop-kills': { type: 'string', default: '2' },
    pauses: { type: 'string', default: '4' },
    'pause-ms': { type: 'string', default: '16000' },
    rate: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    cluster: { type: 'boolean', default: false },
    'leader-kills': { type: 'string', default: '5' },
    'expect-broken': { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const draw = chance(seed)
const unfinishedMin = 10
const flags = values.cluster ? ['--leases', 'cluster', '--registry', 'cluster'] : []
const extraStock = 100_000
const extraCents = 100_000_000

interface ProcessEntry {
  readonly instance: string
  readonly service: string
  readonly pid: number | null
  readonly state: string
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const log = values.verbose ? say : (): void => {}

async function processes(client: ShopClient): Promise<readonly ProcessEntry[]> {
  return (await client.read<readonly ProcessEntry[]>('/api/processes')) ?? []
}

/** Kills one process of the service, or of any. @returns whether one was there to kill. */
async function killOne(
  client: ShopClient,
  wanted: string | undefined,
  killed: Map<string, number>,
): Promise<boolean> {
  const alive = (await processes(client)).filter(({ state }) => state === 'ready')
  const services = [...new Set(alive.map(({ service }) => service))]
  if (services.length === 0) return false
  const service = wanted !== undefined && services.includes(wanted) ? wanted : draw.pick(services)
  const victim = draw.pick(alive.filter((entry) => entry.service === service))
  await client.post(
    `/api/processes/${victim.instance}/kill`,
    { signal: 'SIGKILL' },
    performance.now() + 500,
  )
  killed.set(service, (killed.get(service) ?? 0) + 1)
  return true
}

async function killLeader(client: ShopClient, killed: Map<string, number>): Promise<void> {
  const leader = await client.leader()
  if (leader === undefined) return
  const path = `/api/processes/${leader}/kill`
  await client.post(path, { signal: 'SIGKILL' }, performance.now() + 500)
  killed.set('the leader', (killed.get('the leader') ?? 0) + 1)
}

async function pauseOne(client: ShopClient, pauseMs: number): Promise<void> {
  const alive = (await processes(client)).filter(({ state }) => state === 'ready')
  const { instance } = draw.pick(alive)
  const signal = (name: string): Promise<void> =>
    client.post(`/api/processes/${instance}/kill`, { signal: name }, performance.now() + 2_000)
  say(`pausing ${instance} for ${pauseMs} ms`)
  await signal('SIGSTOP')
  await wait(pauseMs)
  await signal('SIGCONT')
}

async function prepare(client: ShopClient): Promise<void> {
  const endBy = performance.now() + 60_000
  for (const sku of skus.filter((each) => each !== absurdSku)) {
    await client.post('/api/admin/stock', { sku, quantity: extraStock }, endBy)
  }
  for (const userId of users) {
    await client.post('/api/admin/accounts', { userId, balanceCents: extraCents }, endBy)
  }
}

async function trial(): Promise<number> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'holdfast-trial-'))
  const started = performance.now()
  say(`seed ${seed}; data in ${dataFolder}`)
  let shop: ShopProcess = await startShop({ dataFolder, port: 0, flags, log })
  const port = Number(new URL(shop.url).port)
  const client = shopClient(shop.url)
  await prepare(client)
  const crowd = customers(client, { rate: Number(values.rate), seed, run: `trial-${seed}` })
  const killed = new Map<string, number>()
  const aiming = aim(client, draw)
  const total = Number(values.kills)
  const shopKills = spread(Number(values['shop-kills']), total)
  const pauses = spread(Number(values.pauses), total)
  const leaderKills = spread(values.cluster ? Number(values['leader-kills']) : 0, total)
  const paused: Promise<void>[] = []
  for (let done = 0; done < total; ) {
    while (crowd.unfinished().length < unfinishedMin) await wait(20)
    if (shopKills.delete(done)) {
      say('killing the whole shop')
      const pids = (await processes(client)).flatMap(({ pid }) => pid ?? [])
      await shop.killAll(pids)
      shop = await startShop({ dataFolder, port, flags, log })
      continue
    }
    if (pauses.delete(done)) paused.push(pauseOne(client, Number(values['pause-ms'])))
    if (leaderKills.delete(done)) await killLeader(client, killed)
    const shot = await aiming.next()
    const underWay = crowd.unfinished().length
    if (underWay < unfinishedMin || !(await killOne(client, shot.service, killed))) continue
    aiming.fired(shot, underWay)
    done += 1
    if (done % 10 === 0) {
      const ended = crowd.placed.length - crowd.unfinished().length
      say(
        `${seconds(started)} s: ${done}/${total} kills, ${crowd.placed.length} orders, ${ended} ended`,
      )
    }
    await wait(200 + draw.integer(800))
  }
  await Promise.all(paused)
  await crowd.finish(performance.now() + 90_000)
  const problems = [...(await verdict(client, crowd)), ...aiming.problems(unfinishedMin)]
  const exit = await shop.stop()
  if (exit !== 0) problems.push(`SIGTERM: the shop ended with ${exit}; expected 0`)
  report({ crowd, killed, aiming, problems, started })
  if (problems.length === 0 || values['expect-broken'])
    rmSync(dataFolder, { recursive: true, force: true })
  const broken = problems.filter((problem) => problem.startsWith('invariant'))
  return values['expect-broken'] ? broken.length : problems.length
}

async function verdict(client: ShopClient, crowd: Customers): Promise<string[]> {
  const balanceCents = openingBalanceCents + extraCents
  const pieces = openingStock + extraStock
  const ordinary = await audit(client, crowd.placed, { balanceCents, pieces })
  const problems = ordinary.filter((problem) => !problem.startsWith(`${absurdSku} is`))
  if (crowd.lost() > 0) problems.push(`${crowd.lost()} orders were never accepted`)
  const invariants = await client.invariants(performance.now() + 30_000)
  for (const { name, ok, detail } of invariants?.checks ?? []) {
    say(`${ok ? 'holds ' : 'BROKEN'} ${name}: ${detail}`)
    if (!ok) problems.push(`invariant ${name}: ${detail}`)
  }
  if (invariants === undefined) problems.push('the invariants did not answer')
  return problems
}

interface Findings {
  readonly crowd: Customers
  readonly killed: ReadonlyMap<string, number>
  readonly aiming: Aim
  readonly problems: readonly string[]
  readonly started: number
}

function report({ crowd, killed, aiming, problems, started }: Findings): void {
  const table = (map: ReadonlyMap<string, number>): string =>
    [...map].map(([name, count]) => `${name} ${count}`).join(', ')
  const confirmed = crowd.placed.filter(({ end }) => end?.status === 'confirmed').length
  const rejected = crowd.placed.filter(({ end }) => end?.status === 'rejected').length
  say(`orders: ${crowd.placed.length} accepted, ${confirmed} confirmed, ${rejected} rejected`)
  say(`kills by service: ${table(killed)}`)
  for (const line of aiming.table()) say(line)
  for (const problem of problems.slice(0, 20)) say(`PROBLEM ${problem}`)
  say(`${problems.length} problems in ${seconds(started)} s`)
}

const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(0)

/** `count` places spread evenly over `total`. */
function spread(count: number, total: number): Set<number> {
  return new Set(
    Array.from({ length: count }, (_, index) => Math.floor(((index + 1) * total) / (count + 1))),
  )
}

const found = await trial()
process.exitCode = found === 0 || values['expect-broken'] ? 0 : 1
if (values['expect-broken'] && found === 0) {
  say('the planted bug was not found')
  process.exitCode = 1
}
