/** The command as a user runs it: on the built package, with a scenario of his own. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const command = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'simulate-'))
})
afterAll(() => rm(folder, { recursive: true }))

interface Ended {
  readonly code: number | null
  readonly output: string
}

function simulate(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [command, 'simulate', ...args], { cwd: folder })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
    })
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })))
}

const wait = `const wait = (runtime, ms) => new Promise((done) => runtime.timers.schedule(ms, done))`
const files = {
  // A process that must never be dead for long: kills break it, nothing else does.
  'fails.mjs': `${wait}
    export const options = { durationMs: 3_000 }
    export function scenario(world) {
      const process = world.machine('m').process('p', () => new Promise(() => {}))
      world.invariant('alive', () => process.alive || 'it is dead')
      world.client('c', (runtime) => wait(runtime, 3_000))
    }`,
  'fine.mjs': `${wait}
    export const options = { durationMs: 3_000 }
    export function scenario(world) {
      world.machine('m').process('p', () => new Promise(() => {}))
      world.client('c', (runtime) => wait(runtime, 3_000))
    }`,
  'hangs.mjs': `export function scenario(world) {
      world.client('c', async () => { while (world.seed === 2) {} })
    }`,
  // Later seeds fail at once, the first that fails takes its time.
  'several.mjs': `${wait}
    export const options = { faults: 'none' }
    export function scenario(world) {
      world.client('c', async (runtime) => {
        if (world.seed === 11) for (let i = 0; i < 200_000; i++) await undefined
        if (world.seed >= 11) world.fail('late', 'seed ' + world.seed)
      })
    }`,
  'undecided.mjs': `${wait}
    export const options = { faults: 'none' }
    export function scenario(world) {
      world.client('c', (runtime) => wait(runtime, 1))
      if (world.seed > 2) world.check({ name: 'oracle', judge: () => ({ verdict: 'unknown' }) })
    }`,
  'leaks.mjs': `let runs = 0
    export function scenario(world) {
      world.client('c', (runtime) => new Promise((done) => runtime.timers.schedule(++runs, done)))
    }`,
  'empty.mjs': 'export const nothing = 1',
}

beforeAll(async () => {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
})

describe('holdfast simulate', () => {
  it('says ok, how fast, and what hit, and exits with 0', async () => {
    const { code, output } = await simulate('fine.mjs', '--seeds', '40', '--workers', '2')
    expect(output).toMatch(/40 seeds \(\d+ count\), \d+ events, [\d.]+ seeds\/s/)
    expect(output).toContain('faults that hit:')
    expect(output.trimEnd().endsWith('ok')).toBe(true)
    expect(code).toBe(0)
  })

  it('shows the first failure with a line, a fixture and a picture to see it again', async () => {
    const { code, output } = await simulate('fails.mjs', '--html', 'picture.html')
    expect(code).toBe(1)
    expect(output).toContain('alive: it is dead')
    const [, seed = ''] = output.match(/--seed (\d+)/) ?? []
    const again = await simulate('fails.mjs', '--seed', seed)
    expect(again.code).toBe(1)
    expect(again.output).toContain(`seed ${seed} at`)
    const fixture = output.split('\n').find((line) => line.startsWith('{')) ?? ''
    expect(JSON.parse(fixture).faults).toHaveLength(1)
    await writeFile(join(folder, 'saved.json'), fixture)
    expect((await simulate('fails.mjs', '--plan', 'saved.json')).output).toContain('it is dead')
    expect(await readFile(join(folder, 'picture.html'), 'utf8')).toContain('it is dead')
  })

  it('lets --faults overrule the scenario', async () => {
    const calm = await simulate('fails.mjs', '--seeds', '10', '--faults', 'pause,slow-disk')
    expect(calm.output).not.toContain('it is dead')
  })

  it('shows the first failing seed, however many threads there are', async () => {
    for (const workers of ['1', '2', '5']) {
      const { code, output } = await simulate('several.mjs', '--workers', workers)
      expect(output).toContain('FAILED  seed 11 at')
      expect(code).toBe(1)
    }
  })

  it('says which judges could not decide, and counts no such seed', async () => {
    const { code, output } = await simulate('undecided.mjs', '--seeds', '5')
    expect(output).toContain('5 seeds (2 count)')
    expect(output).toMatch(/UNDECIDED by a judge:\n {2}3 {2}oracle: unknown/)
    expect(code).toBe(0)
  })

  it('stops a seed that never comes back, and names it', async () => {
    const args = ['--faults', 'none', '--seeds', '4', '--workers', '1', '--seed-seconds', '2']
    const { code, output } = await simulate('hangs.mjs', ...args)
    expect(output).toContain('seed 2 did not come back')
    expect(code).toBe(1)
  })

  it('with --twice finds what differs from run to run', async () => {
    const { code, output } = await simulate('leaks.mjs', '--faults', 'none', '--twice')
    expect(output).toContain('nondeterminism')
    expect(code).toBe(1)
  })

  it('refuses what it cannot do, with 3', async () => {
    for (const [args, words] of [
      [['nowhere'], 'neither a file nor one of'],
      [['empty.mjs'], 'exports no function named'],
      [['fine.mjs', '--seeds', 'many'], '--seeds is "many"'],
      [['fine.mjs', '--faults', 'rain'], 'there is no "rain"'],
      [['fine.mjs', '--plan', 'none.json'], 'cannot read a fixture'],
      [['fine.mjs', '--color'], 'color'],
    ] as const) {
      const { code, output } = await simulate(...args)
      expect(output).toContain(words)
      expect(code).toBe(3)
    }
  })

  it('has all built-in scenarios, and each does something', async () => {
    const { output } = await simulate()
    const [, list = ''] = output.split('built-in scenarios:\n')
    const names = list.match(/^ {2}\w+/gm)?.map((name) => name.trim()) ?? []
    const some = ['decision', 'idempotency', 'lease', 'lock', 'queue', 'registry', 'rpc', 'saga']
    expect(names).toEqual(expect.arrayContaining([...some, 'shop', 'work']))
    expect(names).toEqual([...names].sort())
    for (const name of names) {
      const { code, output: said } = await simulate(name, '--seeds', '3', '--workers', '2')
      expect(said.trimEnd().split('\n').at(-1), said).toBe('ok')
      expect(code).toBe(0)
    }
  })
})
