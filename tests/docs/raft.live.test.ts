/** docs/raft.md: its commands and programs run, in its own order, and its pictures are of the protocol as it is. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs', 'raft.md'), 'utf8')
const command = join(root, 'dist', 'cli', 'main.js')
const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'))
mkdirSync(join(folder, 'node_modules'))
symlinkSync(root, join(folder, 'node_modules', 'holdfast'))

const children: ChildProcess[] = []
afterAll(async () => {
  const gone = children.map((child) => new Promise((resolve) => child.once('exit', resolve)))
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(gone)
  rmSync(folder, { recursive: true })
})

/** The blocks of one language, in order. */
function blocks(language: string): readonly string[] {
  const all = page.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))
  return [...all].map(([, code = '']) => code)
}

/** A line of the shell: one that ends in & goes on in the background. */
function run(line: string): string {
  const words = line.trim().split(/\s+/)
  if (words[0] === 'sleep') return spawnSync('sleep', words.slice(1)).stdout.toString()
  expect(words.slice(0, 2)).toEqual(['npx', 'holdfast'])
  const behind = words.at(-1) === '&'
  const rest = words.slice(2, behind ? -1 : undefined)
  if (behind) {
    children.push(spawn(process.execPath, [command, ...rest], { cwd: folder, stdio: 'ignore' }))
    return ''
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...rest], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect([line, status, stderr]).toEqual([line, 0, ''])
  return stdout
}

function program(code: string): string {
  writeFileSync(join(folder, 'program.mjs'), code)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['program.mjs'], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
  return stdout
}

it('its cluster starts, hands over, and gives out locks', () => {
  const [shell = ''] = blocks('sh')
  const told = shell.trim().split('\n').map(run)
  expect(told.at(-2)).toMatch(/^leader [abc], term \d+/)
  expect(told.at(-1)).toBe('c leads\n')
  const [locks = '', drawn = ''] = blocks('js')
  expect(program(locks)).toMatch(/mine, whichever member dies; token 1/)
  expect(program(drawn)).toMatch(/┃7/)
  expect(blocks('\\w*')).toHaveLength(3)
})

it('its pictures are what the protocol does now', () => {
  const draw = [join(root, 'scripts', 'draw-raft.mjs'), '--check']
  const { status, stderr } = spawnSync(process.execPath, draw, { cwd: root, encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  for (const [, path = ''] of page.matchAll(/\]\((images\/[^)]+)\)/g)) {
    expect(readFileSync(join(root, 'docs', path), 'utf8')).toMatch(/^<svg /)
  }
})
