/**
 * Runs all scenarios in turn on a clean copy of a commit, with seeds derived from it, keeps book in a
 * ledger, and prints the page about it. Run again, it goes on where it stopped.
 *
 *   node scripts/ledger.mjs --minutes 30 [--nice 10] [--workers 2] [--commit HEAD] [--until 1000000]
 *                           [--only lock,saga] [--ledger docs/ledger.jsonl] [--page docs/ledger.md]
 *   node scripts/ledger.mjs --render
 *
 * Exit code 1: a seed failed. The ledger keeps it, and nothing more is run for this commit's scenario.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { setPriority, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ledgerPage, sectionsIn } from './ledger-page.mjs'
import { root } from './sources.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    nice: { type: 'string', default: '10' },
    workers: { type: 'string', default: '2' },
    commit: { type: 'string', default: 'HEAD' },
    until: { type: 'string', default: '1000000' },
    only: { type: 'string' },
    ledger: { type: 'string', default: join(root, 'docs', 'ledger.jsonl') },
    page: { type: 'string', default: join(root, 'docs', 'ledger.md') },
    render: { type: 'boolean', default: false },
  },
})
const ledger = resolve(values.ledger)

function git(...parameters) {
  return execFileSync('git', parameters, { cwd: root, maxBuffer: 2 ** 28 })
}

/** A clean copy, built: so that what runs is what the commit says, whoever edits the tree meanwhile. */
function copyOf(commit) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-ledger-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  execFileSync('tar', ['-x', '-C', folder], { input: git('archive', commit) })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  execFileSync(process.execPath, [join(folder, 'scripts', 'build.mjs')], {
    cwd: folder,
    env: { ...process.env, HOLDFAST_BUILD_TYPES: '0' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return folder
}

function namesIn(command) {
  const { stdout } = spawnSync(process.execPath, [command, 'simulate'], { encoding: 'utf8' })
  const [, list = ''] = stdout.split('built-in scenarios:\n')
  return Array.from(list.matchAll(/^ {2}(\w+)/gm), ([, name]) => name)
}

/** @returns 0, or 1 if a seed failed. */
function run() {
  const commit = String(git('rev-parse', values.commit)).trim()
  const folder = copyOf(commit)
  const command = join(folder, 'dist', 'cli', 'main.js')
  const names = values.only?.split(',') ?? namesIn(command)
  const last = existsSync(ledger) ? sectionsIn(ledger).at(-1) : undefined
  const begun = last?.commit === commit
  if (last !== undefined && !begun) console.log(`a new section: ${commit}`)
  const sliceMinutes = String(Number(values.minutes) / names.length)
  for (const [index, name] of names.entries()) {
    const anew = index === 0 && last !== undefined && !begun ? ['--new-section'] : []
    const { status } = spawnSync(
      process.execPath,
      [
        ...[command, 'simulate', name, '--ledger', ledger, '--until', values.until],
        ...['--from-commit', commit, '--minutes', sliceMinutes, '--workers', values.workers],
        ...anew,
      ],
      { stdio: 'inherit' },
    )
    if (status !== 0) return status ?? 1
  }
  return 0
}

if (!values.render) {
  setPriority(Number(values.nice))
  process.exitCode = run()
}
if (existsSync(ledger)) writeFileSync(values.page, ledgerPage(ledger))
