/**
 * Sets `holdfast check` beside the verdicts that Knossos and Elle state for the histories in their own repositories. These
 * files are under the Eclipse Public License and are not kept here: give the folders of two checkouts.
 *
 *   node scripts/compare-histories.mjs KNOSSOS ELLE
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const [knossos, elle] = process.argv.slice(2)
if (knossos === undefined || elle === undefined) {
  throw new Error('usage: compare-histories.mjs KNOSSOS ELLE: the folders of two checkouts')
}

/** In Knossos the folder says the verdict: `data/MODEL/good` and `data/MODEL/bad`. */
function* ofKnossos() {
  const options = {
    'cas-register': [],
    'multi-register': ['--initial', '{:x 0 :y 0}'],
    mutex: [],
  }
  for (const [model, rest] of Object.entries(options)) {
    for (const [name, verdict] of Object.entries({ good: 'ok', bad: 'violation' })) {
      const folder = join(knossos, 'data', model, name)
      const files = existsSync(folder) ? readdirSync(folder) : []
      for (const file of files.filter((one) => one.endsWith('.edn'))) {
        yield { path: join(folder, file), rest: ['--model', model, ...rest], verdict }
      }
    }
  }
}

/** What Elle's tests say of its files, level by level (`test/elle/list_append_test.clj`, its paper for the third). */
function* ofElle() {
  const levels = {
    'huge-scc.edn': { serializable: 'ok', 'strong-snapshot-isolation': 'violation' },
    'si-without-g-single.edn': { 'snapshot-isolation': 'ok', 'repeatable-read': 'violation' },
    'paper-example.edn': { 'read-committed': 'ok', 'snapshot-isolation': 'violation' },
  }
  for (const [file, verdicts] of Object.entries(levels)) {
    const path = join(elle, 'histories', file)
    if (!existsSync(path)) continue
    for (const [level, verdict] of Object.entries(verdicts)) {
      yield { path, rest: ['--model', 'list-append', '--level', level], verdict }
    }
  }
}

let agreed = 0
let elapsedMs = 0
const differing = []
for (const { path, rest, verdict } of [...ofKnossos(), ...ofElle()]) {
  const { stdout, stderr } = spawnSync(process.execPath, [command, 'check', path, ...rest])
  const told = stdout.length > 0 ? JSON.parse(stdout.toString()) : { verdict: stderr.toString() }
  elapsedMs += told.elapsedMs ?? 0
  if (told.verdict === verdict) agreed += 1
  else differing.push(`${path} ${rest.join(' ')}: ${told.verdict}, stated: ${verdict}`)
}
for (const line of differing) console.log(line)
console.log(
  `${agreed} agree, ${differing.length} differ, ${(elapsedMs / 1_000).toFixed(1)} s of judging`,
)
process.exitCode = differing.length === 0 && agreed > 0 ? 0 : 1
