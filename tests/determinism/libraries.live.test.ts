/**
 * Libraries as they come from the registry, run in a world on three versions of Node: they must work, break
 * as the network breaks, and do the same for the same seed, also on another Node.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'

const here = dirname(fileURLToPath(import.meta.url))
const simulator = pathToFileURL(join(here, '../../dist/simulation/node/index.js')).href
const libraries = ['express@5.3.0', 'ioredis@5.11.1', 'ws@8.23.0']
const newerNodes = ['22.23.3', '24.21.0']
const nodePackage = `node-${process.platform}-${process.arch}`

let folder = ''
interface Seen {
  readonly served: number
  readonly refused: number
  readonly failed: number
  readonly last: number
  readonly heard: readonly string[]
  readonly traceHash: string
  readonly seedsThatCount: number
  readonly failures: readonly string[]
}
interface Trials {
  readonly calm: Seen
  readonly stormy: Seen
}
let ours: Trials

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-libraries-'))
  const dependencies: Record<string, string> = {}
  for (const version of newerNodes) {
    dependencies[`node-${version}`] = `npm:${nodePackage}@${version}`
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }))
  const parameters = ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...libraries]
  execFileSync('npm', parameters, { cwd: folder })
  ours = on(process.execPath)
}, 300_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function on(node: string): Trials {
  const program = [join(here, 'libraries.mjs'), simulator]
  return JSON.parse(execFileSync(node, program, { cwd: folder, encoding: 'utf8' }))
}

it('Express, ioredis, ws and fetch serve in a calm world', () => {
  expect(ours.calm).toMatchObject({ failures: [], served: 80, refused: 0, failed: 0, last: 20 })
  expect(ours.calm.heard).toEqual(['you said hello'])
})

it('and break where the world breaks, each seed twice in the same way', () => {
  const { failures, served, failed, seedsThatCount } = ours.stormy
  expect(failures).toEqual([])
  expect(served).toBeGreaterThan(60)
  expect(failed).toBeGreaterThan(10)
  expect(seedsThatCount).toBeGreaterThanOrEqual(2)
})

it.each(newerNodes)('Node %s does the very same', (version) => {
  expect(on(join(folder, 'node_modules', `node-${version}`, 'bin/node'))).toEqual(ours)
})
