/**
 * Breaks the program on purpose, one planted bug at a time, and asks whether its own trials notice.
 * Works on a copy in a temporary folder, so the tree is never touched. First the copy as it is: its
 * trials must be clean. Then each mutant: it must be found within the seeds, and by a judge, not by
 * running out of time or by failing to load.
 *
 *   node scripts/mutate.mjs [--only id,id] [--blind] [--fast] [--seeds 500] [--head] [--measure]
 *                           [--clean-seeds 500 | --no-clean | --clean-only] [--check] [--write]
 *
 * `--measure` shrinks what was found and looks whether fewer faults would have done; `--head` takes the last commit instead of the working tree; `--check` only looks for stale mutants;
 * `--clean-only` tries the unchanged program and no mutants; `--write` keeps what was found in
 * tests/mutants/results.json, beside what is known of the others, and rewrites docs/mutants.md from it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { mutants } from '../tests/mutants/mutants.mjs'
import { trials } from '../tests/mutants/trials.mjs'
import { copyOfTree } from './mutate-copy.mjs'
import { page } from './mutate-page.mjs'
import { runTrial } from './mutate-trial.mjs'
import { root } from './sources.mjs'

const { values: asked } = parseArgs({
  options: {
    only: { type: 'string' },
    blind: { type: 'boolean' },
    fast: { type: 'boolean' },
    seeds: { type: 'string', default: '500' },
    'clean-seeds': { type: 'string' },
    head: { type: 'boolean' },
    clean: { type: 'boolean', default: true },
    'clean-only': { type: 'boolean' },
    check: { type: 'boolean' },
    measure: { type: 'boolean' },
    write: { type: 'boolean' },
  },
  allowNegative: true,
})

function chosen() {
  const ids = asked.only?.split(',')
  for (const id of ids ?? []) {
    if (!mutants.some((mutant) => mutant.id === id)) throw new Error(`no mutant is called ${id}`)
  }
  return mutants.filter(
    ({ id, blind, fast }) =>
      (ids === undefined || ids.includes(id)) &&
      (asked.blind !== true || blind) &&
      (asked.fast !== true || fast),
  )
}

const line = (mark, name, seconds, text) =>
  console.log(`${mark.padEnd(9)} ${name.padEnd(36)} ${seconds.toFixed(1).padStart(6)} s  ${text}`)

async function cleanTrials(copy, names, seeds) {
  const results = []
  for (const name of names) {
    const verdict = await runTrial(copy.folder, trials[name], seeds)
    line(verdict.status === 'clean' ? 'clean' : 'NOT CLEAN', name, verdict.seconds, verdict.text)
    results.push({ name, ...verdict })
  }
  return results
}

async function findMutants(copy, list, seeds) {
  const results = []
  for (const mutant of list) {
    const restore = copy.apply(mutant)
    const measures = asked.measure === true
    const verdict = await runTrial(copy.folder, trials[mutant.trial], seeds, { measures })
    restore()
    line(
      verdict.status === 'found' ? 'found' : 'NOT FOUND',
      mutant.id,
      verdict.seconds,
      verdict.text,
    )
    results.push({ mutant, ...verdict, ...measureOf(verdict, mutant) })
  }
  return results
}

/** Fewer faults than were thought necessary: then the number worked out by hand is wrong. */
function measureOf({ measure }, { id, least }) {
  if (measure === undefined) return {}
  const { shrunk, shrinkMs, least: met, leastBy } = measure
  const seconds = (shrinkMs / 1_000).toFixed(1)
  console.log(`          ${shrunk} faults after ${seconds} s; ${met} are enough (${leastBy})`)
  if (met >= least) return {}
  console.error(`${id}: ${met} faults are enough, and ${least} were thought necessary`)
  return { status: 'wrong least' }
}

const kept = join(root, 'tests/mutants/results.json')

/** Both halves of the page take long, so each is kept and they may be run apart. */
function keep(half) {
  const all = { ...JSON.parse(readFileSync(kept, 'utf8')), ...half }
  writeFileSync(kept, `${JSON.stringify(all, undefined, 1)}\n`)
  const { clean, found } = all
  if (clean === undefined || found === undefined) return
  const named = found.results.map(({ id, ...rest }) => ({
    mutant: mutants.find((mutant) => mutant.id === id),
    ...rest,
  }))
  writeFileSync(join(root, 'docs/mutants.md'), page(clean, named, found))
}

/** @returns how many were wrong */
async function tryClean(copy, list) {
  const names = [...new Set(list.map(({ trial }) => trial))]
  const seeds = Number(asked['clean-seeds'] ?? asked.seeds)
  const clean = await cleanTrials(copy, names, seeds)
  const wrong = clean.filter(({ status }) => status !== 'clean').length
  if (asked.write === true && list.length === mutants.length && wrong === 0) {
    const results = clean.map(({ name, status, seconds }) => ({ name, status, seconds }))
    keep({ clean: { seeds, results } })
  }
  return wrong
}

/** @returns how many were wrong */
async function tryMutants(copy, list) {
  const seeds = Number(asked.seeds)
  const found = await findMutants(copy, list, seeds)
  const wrong = found.filter(({ status }) => status !== 'found').length
  if (asked.write === true && wrong === 0) {
    const results = found.map(({ mutant, seed, judge, measure }) => ({
      id: mutant.id,
      seed,
      judge,
      measure,
    }))
    const before = JSON.parse(readFileSync(kept, 'utf8')).found?.results ?? []
    const newest = new Map([...before, ...results].map((one) => [one.id, one]))
    keep({ found: { seeds, results: mutants.flatMap(({ id }) => newest.get(id) ?? []) } })
  } else if (asked.write === true) console.error('docs/mutants.md was not written')
  return wrong
}

os.setPriority(5)
const list = chosen()
const copy = copyOfTree(root, { head: asked.head === true })
let wrong = 0
try {
  const stale = list.filter((mutant) => copy.matches(mutant) !== 1)
  for (const mutant of stale) {
    console.error(
      `stale: ${mutant.id}: its text stands ${copy.matches(mutant)} times in ${mutant.file}`,
    )
  }
  wrong += stale.length
  if (asked.check !== true) {
    const fresh = list.filter((mutant) => !stale.includes(mutant))
    if (asked.clean === true) wrong += await tryClean(copy, fresh)
    if (asked['clean-only'] !== true) wrong += await tryMutants(copy, fresh)
  }
} finally {
  copy.remove()
}
console.log(`${list.length} mutants, ${wrong} wrong`)
process.exitCode = wrong === 0 && list.length > 0 ? 0 : 1
