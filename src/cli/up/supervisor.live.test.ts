/**
 * `holdfast up` with small services of every temper: one that serves, one that crashes when told to, one
 * that does not let go, and plans that cannot be.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import {
  isAlive,
  projectFolder,
  type RunningShop,
  shops,
  until,
} from '../../../tests/shop/running-shop.ts'
import { restLimits } from './rest-policy.ts'

const house = shops()
afterAll(house.close, 60_000)

const cli = join(projectFolder, 'dist/cli/main.js')
const library = pathToFileURL(join(projectFolder, 'dist/cli/index.js')).href

/** What one of each temper does; `DATA` is the data folder. */
const tempers = {
  steady: `
    import { appendFileSync } from 'node:fs'
    import { serviceProcess } from '${library}'
    await serviceProcess(async ({ instance, dataFolder, onStop }) => {
      onStop(() => appendFileSync(dataFolder + '/left', instance + '\\n'))
      setInterval(() => {}, 1_000)
      return {}
    })`,
  moody: `
    import { appendFileSync, existsSync } from 'node:fs'
    import { serviceProcess } from '${library}'
    const folder = process.env.HOLDFAST_DATA
    appendFileSync(folder + '/starts', Date.now() + '\\n')
    if (existsSync(folder + '/crash')) process.exit(7)
    await serviceProcess(async () => {
      setInterval(() => {}, 1_000)
      return {}
    })`,
  stuck: `
    import { appendFileSync } from 'node:fs'
    import { serviceProcess } from '${library}'
    await serviceProcess(async () => ({}))
    setTimeout(() => {
      appendFileSync(process.env.HOLDFAST_DATA + '/stuck', 'now')
      for (;;);
    }, 300)`,
} as const
type Temper = keyof typeof tempers

function planOf(services: Readonly<Record<string, Temper>>): { folder: string; plan: string } {
  const folder = house.freshFolder()
  for (const [temper, code] of Object.entries(tempers)) {
    writeFileSync(join(folder, `${temper}.mjs`), code)
  }
  const listed = Object.entries(services).map(([name, temper]) => {
    return { name, entry: `${temper}.mjs`, instances: 1 }
  })
  const plan = { name: 'trial', services: listed, front: listed[0]?.name }
  const file = join(folder, 'plan.mjs')
  writeFileSync(file, `export const plan = ${JSON.stringify(plan)}\n`)
  return { folder, plan: file }
}

async function entryOf(system: RunningShop, name: string) {
  const found = (await system.processes()).find(({ instance }) => instance === name)
  if (found === undefined) throw new Error(`${name} is not listed`)
  return found
}

const lines = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []

describe.concurrent('HL-2: supervision', () => {
  it('starts a killed instance again at once, with a new pid', async () => {
    const { plan } = planOf({ front: 'steady', other: 'steady' })
    const system = await house.startShop({ plan })
    const before = await entryOf(system, 'other-1')
    await system.post('/api/processes/other-1/kill', { signal: 'SIGKILL' })
    const after = await until('it to be back', async () => {
      const now = await entryOf(system, 'other-1')
      return now.state === 'ready' && now.pid !== before.pid ? now : undefined
    })
    expect(after.restarts).toBe(1)
    expect(await entryOf(system, 'front-1')).toMatchObject({ restarts: 0, state: 'ready' })
    expect(system.output()).toMatch(/other-1 died \(SIGKILL\)/)
  }, 60_000)

  it('rests longer after each crash, then quarantines, and leaves the others alone', async () => {
    const { folder, plan } = planOf({ front: 'steady', moody: 'moody' })
    const system = await house.startShop({ plan, dataFolder: folder })
    writeFileSync(join(folder, 'crash'), '')
    await system.post('/api/processes/moody-1/kill', { signal: 'SIGTERM' })
    await until(
      'the quarantine',
      async () => {
        return (await entryOf(system, 'moody-1')).state === 'quarantined' ? true : undefined
      },
      110_000,
    )
    expect(system.output()).toMatch(/moody-1 died \(exit 7\) again and again: quarantined/)
    expect((await system.get('/healthz')).status).toBe(503)
    expect(await entryOf(system, 'front-1')).toMatchObject({ restarts: 0, state: 'ready' })

    const starts = lines(join(folder, 'starts')).map(Number)
    expect(starts.length).toBe(restLimits.loopDeaths)
    const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? 0))
    for (const [index, gap] of gaps.slice(1).entries()) {
      const pauseMs = Math.min(restLimits.longestMs, restLimits.firstMs * 2 ** index)
      expect(gap, `start ${index + 2}`).toBeGreaterThanOrEqual(pauseMs)
    }
  }, 150_000)

  it('gives up with 1 when a service never starts', async () => {
    const { folder, plan } = planOf({ front: 'steady', moody: 'moody' })
    writeFileSync(join(folder, 'crash'), '')
    const { output, gone } = house.startUp({ plan, dataFolder: folder })
    expect(await gone).toEqual({ code: 1, signal: null })
    expect(output()).toMatch(/does not start: moody-1 \(quarantined, last exit 7\)/)
    expect(lines(join(folder, 'left'))).toEqual(['front-1'])
  }, 150_000)

  it('drains in reverse order, and kills who does not let go', async () => {
    const { folder, plan } = planOf({ first: 'steady', second: 'steady', third: 'stuck' })
    const flags = ['--drain-ms', '1500']
    const system = await house.startShop({ plan, dataFolder: folder, flags })
    const pids = (await system.processes()).flatMap(({ pid }) => pid ?? [])
    await until('it to hang', () => (existsSync(join(folder, 'stuck')) ? true : undefined))
    system.signal('SIGTERM')
    expect(await system.gone).toEqual({ code: 0, signal: null })
    expect(system.output()).toMatch(/third-1 did not leave in good order \(SIGKILL\)/)
    expect(lines(join(folder, 'left'))).toEqual(['second-1', 'first-1'])
    expect(pids.filter(isAlive)).toEqual([])
  }, 60_000)

  it('a paused instance is woken to drain', async () => {
    const { folder, plan } = planOf({ first: 'steady', second: 'steady' })
    const system = await house.startShop({ plan, dataFolder: folder })
    await system.post('/api/processes/second-1/kill', { signal: 'SIGSTOP' })
    system.signal('SIGTERM')
    expect(await system.gone).toEqual({ code: 0, signal: null })
    expect(lines(join(folder, 'left'))).toEqual(['second-1', 'first-1'])
  }, 60_000)
})

function run(parameters: readonly string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(process.execPath, [cli, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, text })))
}

describe('what cannot be ends at once, in one clear line', () => {
  const good = planOf({ front: 'steady' })
  const file = (name: string, text: string): string => {
    const path = join(good.folder, name)
    writeFileSync(path, text)
    return path
  }
  const broken = (name: string, change: object): string => {
    const services = [{ name: 'front', entry: 'steady.mjs', instances: 1 }]
    const plan = { name: 'trial', services, front: 'front', ...change }
    return file(name, `export const plan = ${JSON.stringify(plan)}\n`)
  }
  const front = { name: 'front', entry: 'steady.mjs', instances: 1 }
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['no plan', [], /no plan was named/],
    ['a missing plan', ['nowhere.mjs'], /cannot load the plan .*nowhere\.mjs/],
    ['a file without a plan', [file('empty.mjs', 'export {}\n')], /does not export "plan"/],
    ['a plan with an error in it', [file('bad.mjs', 'export const plan = {')], /cannot load/],
    [
      'a missing entry',
      [broken('e.mjs', { services: [{ ...front, entry: 'gone.mjs' }] })],
      /entry of service "front" is missing/,
    ],
    ['no services', [broken('n.mjs', { services: [] })], /has no services/],
    ['one service twice', [broken('t.mjs', { services: [front, front] })], /names a service twice/],
    [
      'a front that is not there',
      [broken('f.mjs', { front: 'back' })],
      /"back" is not in the plan/,
    ],
    [
      'a bad name',
      [broken('b.mjs', { services: [{ ...front, name: 'A b' }], front: 'A b' })],
      /"A b" is not valid/,
    ],
    ['an unknown service', [good.plan, '--instances', 'back=2'], /"back" is not in the plan/],
    ['no number', [good.plan, '--instances', 'front=two'], /--instances has "front=two"/],
    ['none', [good.plan, '--instances', 'front=0'], /instances of front is 0/],
    ['a bad port', [good.plan, '--port', 'http'], /--port is NaN/],
    ['a port out of range', [good.plan, '--port', '65536'], /--port is 65536/],
    ['an unknown flag', [good.plan, '--prot', '80'], /--prot/],
    ['a file as data folder', [good.plan, '--data', good.plan], /--data .* cannot be used/],
  ]
  it.concurrent.each(cases)('%s: exit 3', async (_, parameters, message) => {
    const { code, text } = await run(['up', ...parameters])
    expect(text).toMatch(message)
    expect(text).not.toMatch(/\n\s+at /)
    expect(code).toBe(3)
  })

  it('a port that is taken: exit 3, and nothing was started', async () => {
    const squatter = createServer()
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', () => resolve()))
    const address = squatter.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { folder, plan } = planOf({ moody: 'moody' })
    const flags = ['--port', String(port), '--data', folder]
    const { code, text } = await run(['up', plan, ...flags])
    squatter.close()
    expect(text).toMatch(new RegExp(`port ${port} on 127.0.0.1 is taken`))
    expect(code).toBe(3)
    expect(lines(join(folder, 'starts'))).toEqual([])
  })
})
