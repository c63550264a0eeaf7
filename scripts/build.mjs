/**
 * Builds `dist`. With `--if-stale` only when a source is newer than the last build.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, 'dist', '.built')

function newest(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce(
      (latest, entry) => Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs),
      0,
    )
}

function stale() {
  if (!existsSync(stamp)) return true
  const inputs = ['package.json', 'tsdown.config.ts'].map(
    (file) => statSync(join(root, file)).mtimeMs,
  )
  const folders = ['src', 'examples']
    .map((name) => join(root, name))
    .filter((path) => existsSync(path))
  return Math.max(...inputs, ...folders.map(newest)) > statSync(stamp).mtimeMs
}

/** A release holds nothing of sources that are gone. Last, so that whoever uses the build meanwhile finds it. */
function prune(folder, builtAtMs) {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && statSync(path).mtimeMs < builtAtMs) rmSync(path)
  }
}

const always = !process.argv.includes('--if-stale')
if (always || stale()) {
  const startedAtMs = Date.now() - 1_000
  const tsdown = join(root, 'node_modules', 'tsdown', 'dist', 'run.mjs')
  execFileSync(process.execPath, [tsdown, '--no-clean'], { cwd: root, stdio: 'inherit' })
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, '')
  if (always) for (const name of ['dist', 'build']) prune(join(root, name), startedAtMs)
}
