/** The ledger as a user keeps it: it goes on where it stopped, and does not mix what it must not. */
import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { seedOf } from './ledger.ts'

const command = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ledger-'))
const path = join(folder, 'ledger.jsonl')
afterAll(() => rmSync(folder, { recursive: true }))
beforeEach(() => rmSync(path, { force: true }))

const scenario = (failing: string): string => `
  export const options = { faults: 'none' }
  export function scenario(world) {
    world.client('c', (runtime) => new Promise((done) => runtime.timers.schedule(3, done)))
    if (${failing}) world.client('d', async () => world.fail('planted', 'found it'))
  }`
writeFileSync(join(folder, 'fine.mjs'), scenario('false'))
writeFileSync(join(folder, 'other.mjs'), scenario('false'))
writeFileSync(join(folder, 'planted.mjs'), scenario('world.seed % 7 === 3'))

function simulate(...args: readonly string[]): {
  readonly code: number | null
  readonly said: string
} {
  const all = [command, 'simulate', ...args, '--ledger', path, '--workers', '2']
  const { status, stdout, stderr } = spawnSync(process.execPath, all, {
    cwd: folder,
    encoding: 'utf8',
  })
  return { code: status, said: stdout + stderr }
}
const lines = (): readonly Record<string, unknown>[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const from = ['--from-commit', 'abcd1234'] as const

describe('holdfast simulate --ledger', () => {
  it('counts several scenarios up to a goal, and goes on from there', () => {
    const first = simulate('fine.mjs', 'other.mjs', '--until', '20', ...from)
    expect(first.code, first.said).toBe(0)
    expect(first.said).toMatch(/fine\.mjs: \d+ seeds \(\d+ count\)/)
    expect(first.said).toMatch(/other\.mjs: \d+ seeds/)
    const [section, ...stretches] = lines()
    expect(section).toMatchObject({ format: 1, section: { commit: 'abcd1234' } })
    const before = stretches.filter((line) => line.scenario === 'fine.mjs')
    const done = before.reduce((sum, line) => sum + Number(line.seeds), 0)
    expect(done).toBeGreaterThanOrEqual(20)
    expect(done).toBeLessThan(60)

    // The commit need not be said again; a goal that is reached costs nothing.
    expect(simulate('fine.mjs', '--until', '20').code).toBe(0)
    expect(lines()).toHaveLength(stretches.length + 1)
    expect(simulate('fine.mjs', '--until', '90').code).toBe(0)
    const last = lines().at(-1)
    expect(last).toMatchObject({ scenario: 'fine.mjs', first: done, commit: 'abcd1234' })
    const all = lines().filter((line) => line.scenario === 'fine.mjs')
    expect(all.reduce((sum, line) => sum + Number(line.counted), 0)).toBeGreaterThanOrEqual(90)
  })

  it('stops at a planted failure, says how to replay it, and never goes past it', () => {
    const { code, said } = simulate(
      'fine.mjs',
      'planted.mjs',
      'other.mjs',
      '--until',
      '200',
      ...from,
    )
    expect(code).toBe(1)
    expect(said).toContain('planted: found it')
    const [, seed = ''] = said.match(/replay: holdfast simulate planted\.mjs --seed (\d+)/) ?? []
    expect(Number(seed) % 7).toBe(3)
    const last = lines().at(-1)
    expect(last).toMatchObject({ scenario: 'planted.mjs', failure: { seed: Number(seed) } })
    // The first in order, whatever the threads did.
    const place = Array.from({ length: 100 }, (_, index) => index).find(
      (index) => seedOf('abcd1234', 'planted.mjs', index) % 7 === 3,
    )
    expect(Number(last?.first) + Number(last?.seeds) - 1).toBe(place)
    const again = simulate('planted.mjs', '--until', '200')
    expect(again.code).toBe(1)
    expect(again.said).toContain(`--seed ${seed}`)
    expect(lines().at(-1)).toEqual(last)
  })

  it('refuses other code and other commits, unless a new section is begun', () => {
    expect(simulate('fine.mjs', '--until', '5', ...from).code).toBe(0)
    const other = simulate('fine.mjs', '--until', '9', '--from-commit', 'feed5678')
    expect(other.code).toBe(3)
    expect(other.said).toContain('--new-section')
    const [section = {}, ...rest] = lines()
    const code = { ...section, section: { commit: 'abcd1234', code: '0'.repeat(64) } }
    writeFileSync(path, [code, ...rest].map((line) => `${JSON.stringify(line)}\n`).join(''))
    const stale = simulate('fine.mjs', '--until', '9')
    expect(stale.code).toBe(3)
    expect(stale.said).toContain('with code 000000000000')
    const anew = ['--from-commit', 'feed5678', '--new-section'] as const
    expect(simulate('fine.mjs', '--until', '5', ...anew).code).toBe(0)
    expect(lines().at(-1)).toMatchObject({ first: 0, commit: 'feed5678' })
    expect(lines()).toHaveLength(4)
  })

  it('refuses a scenario that has changed', () => {
    writeFileSync(join(folder, 'mine.mjs'), scenario('false'))
    expect(simulate('mine.mjs', '--until', '5', ...from).code).toBe(0)
    writeFileSync(join(folder, 'mine.mjs'), scenario('1 > 2'))
    const changed = simulate('mine.mjs', '--until', '9')
    expect(changed.code).toBe(3)
    expect(changed.said).toContain('mine.mjs is not what the ledger counted')
  })

  it('drops a line that was cut off, and refuses one that is wrong', () => {
    expect(simulate('fine.mjs', '--until', '5', ...from).code).toBe(0)
    const whole = readFileSync(path, 'utf8')
    appendFileSync(path, '{"format":1,"scenario":"fine.m')
    expect(simulate('fine.mjs', '--until', '5').code).toBe(0)
    expect(readFileSync(path, 'utf8')).toBe(whole)
    appendFileSync(path, '{"format":2}\n')
    const wrong = simulate('fine.mjs', '--until', '5')
    expect(wrong.code).toBe(3)
    expect(wrong.said).toContain('ledger.jsonl:3: not a line of a ledger')
  })

  it('says what is missing or does not belong', () => {
    expect(simulate('fine.mjs', '--until', '5').said).toContain('--from-commit')
    expect(simulate('fine.mjs', ...from).said).toContain('--until')
    expect(simulate('fine.mjs', '--until', '5', '--seed', '1').said).toContain('--seed does not go')
  })
})

it('seeds come from commit, scenario and place, and from nothing else', () => {
  expect(seedOf('abcd1234', 'lock', 0)).toBe(seedOf('abcd1234', 'lock', 0))
  const seeds = new Set<number>()
  for (const commit of ['a', 'b']) {
    for (const name of ['lock', 'saga']) {
      for (let index = 0; index < 1_000; index++) seeds.add(seedOf(commit, name, index))
    }
  }
  expect(seeds.size).toBe(4_000)
  expect([...seeds].every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true)
})
