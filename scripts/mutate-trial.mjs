/**
 * One trial of one program: runs a test by name in a process of its own, and says what it told: clean, or
 * which judge spoke at which seed. A trial that does not end in time, or whose files do not load, found
 * nothing.
 */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { configName } from './mutate-copy.mjs'

const minutesMax = 15

/** See `failureText` in src/simulation/expect-clean.ts. */
const failedSeed = /seed (\d+) failed at [\d.]+ ms: (.+?): (.*)/

export async function runTrial(folder, { kind, file, name }, seeds, { measures = false } = {}) {
  const report = join(folder, 'report.json')
  const measure = join(folder, 'measure.json')
  for (const path of [report, measure]) rmSync(path, { force: true })
  const startedAt = Date.now()
  const command = ['node_modules/vitest/vitest.mjs', 'run', file, '--config', configName]
  command.push('--root', folder, '--bail', '1', '--reporter', 'json', '--outputFile', report)
  if (name !== '') command.push('-t', name)
  const inTime = await ends(command, folder, {
    HOLDFAST_SEEDS: String(seeds),
    HOLDFAST_FIRST_SEED: '1',
    NO_COLOR: '1',
    ...(measures && kind === 'scenario' ? { HOLDFAST_MEASURE: measure } : {}),
  })
  const verdict = inTime
    ? verdictOf(kind, reportIn(report))
    : { status: 'failed', text: `did not end in ${minutesMax} minutes` }
  return { ...verdict, measure: reportIn(measure), seconds: (Date.now() - startedAt) / 1_000 }
}

/** Its own process group, so that its workers end with it, even in an endless loop. */
function ends(command, cwd, environment) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, {
      cwd,
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, ...environment },
    })
    const stop = () => {
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It ended by itself.
      }
    }
    let inTime = true
    const timer = setTimeout(() => {
      inTime = false
      stop()
    }, minutesMax * 60_000)
    process.once('exit', stop)
    child.once('close', () => {
      clearTimeout(timer)
      process.removeListener('exit', stop)
      resolve(inTime)
    })
  })
}

function reportIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function verdictOf(kind, report) {
  const tests = report?.testResults.flatMap(({ assertionResults }) => assertionResults) ?? []
  const failed = tests.find(({ status }) => status === 'failed')
  if (failed === undefined) {
    const passed = tests.filter(({ status }) => status === 'passed').length
    if (report?.success === true && passed > 0) return { status: 'clean', text: '' }
    const why = report?.testResults.find(({ message }) => message)?.message ?? 'no test ran'
    return { status: 'failed', text: `does not run: ${firstLine(why)}` }
  }
  const message = failed.failureMessages.join('\n')
  if (/Test timed out/.test(message)) return { status: 'failed', text: 'the test timed out' }
  const [, seed, judge, what] = failedSeed.exec(message) ?? []
  if (judge !== undefined) {
    return { status: 'found', seed: Number(seed), judge, text: `seed ${seed}: ${judge}: ${what}` }
  }
  // A scenario that merely went nowhere interesting has judged nothing.
  const text = `${failed.title}: ${firstLine(message)}`
  return kind === 'scenario'
    ? { status: 'failed', text }
    : { status: 'found', judge: failed.title, text }
}

const firstLine = (text) => text.split('\n')[0].slice(0, 160)
