/** `simulationTestWith` under the runners people have: `node --test`, on the built package. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'node-test-'))
afterAll(() => rmSync(folder, { recursive: true }))
mkdirSync(join(folder, 'node_modules'))
symlinkSync(root, join(folder, 'node_modules', 'holdfast'))
writeFileSync(
  join(folder, 'world.test.mjs'),
  `import { test } from 'node:test'
  import { simulationTestWith } from 'holdfast/testing'
  const simulationTest = simulationTestWith(test)
  const wait = (runtime) => new Promise((done) => runtime.timers.schedule(10, done))
  simulationTest('is fine', { seeds: 5 }, (world) => world.client('c', wait))
  simulationTest('is planted', { seeds: 50 }, (world) => {
    world.client('c', wait)
    if (world.seed >= 20) world.fail('planted', 'found it')
  })`,
)

function run(environment: Readonly<Record<string, string>>): { code: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--test', 'world.test.mjs'], {
    cwd: folder,
    encoding: 'utf8',
    // A runner inside of a runner would report to the outer one.
    env: { PATH: process.env.PATH, ...environment },
  })
  return { code: status, said: stdout + stderr }
}

it('passes what is fine, and says of what is not how to see it again', () => {
  const { code, said } = run({})
  expect(code, said).toBe(1)
  expect(said).toMatch(/pass 1\b/)
  expect(said).toMatch(/fail 1\b/)
  expect(said).toContain('seed 20 failed')
  expect(said).toContain('HOLDFAST_SEED=20')
  const [, file = ''] = said.match(/picture: (simulation-failures\/[^\s\\]*)/) ?? []
  expect(readFileSync(join(folder, file), 'utf8')).toContain('found it')
})

it('runs the one seed that is asked for', () => {
  expect(run({ HOLDFAST_SEED: '30' }).said).toContain('seed 30 failed')
  expect(run({ HOLDFAST_SEED: '3' }).code).toBe(0)
})
