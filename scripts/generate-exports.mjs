/**
 * The folder is the import path: every folder of `src` with an `index.ts` is exported under its name.
 * Writes `exports` into package.json; with `--check` only says whether it is up to date.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { root } from './sources.mjs'

const hidden = /^(composition|console\/page)/

const folders = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name === 'index.ts')
  .map((entry) => relative(join(root, 'src'), entry.parentPath))
  .filter((folder) => !hidden.test(folder))
  .sort()

const target = (file) => ({ types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` })
const exports = { './errors': target('errors') }
for (const folder of folders) {
  exports[folder === '' ? '.' : `./${folder}`] = target(join(folder, 'index'))
}
exports['./package.json'] = './package.json'

const path = join(root, 'package.json')
const text = readFileSync(path, 'utf8')
const sorted = Object.fromEntries(Object.entries(exports).sort(([a], [b]) => (a < b ? -1 : 1)))
const updated = `${JSON.stringify({ ...JSON.parse(text), exports: sorted }, null, 2)}\n`
if (process.argv.includes('--check')) {
  const missing = Object.values(sorted)
    .flatMap((entry) => (typeof entry === 'string' ? [entry] : Object.values(entry)))
    .filter((file) => !existsSync(join(dirname(path), file)))
  for (const file of missing) console.error(`${file} is exported but not built`)
  if (updated !== text)
    console.error('package.json: exports are not up to date; run npm run exports')
  const good = updated === text && missing.length === 0
  console.log(`exports: ${good ? 'ok' : 'not up to date'}`)
  process.exitCode = good ? 0 : 1
} else if (updated !== text) {
  writeFileSync(path, updated)
}
