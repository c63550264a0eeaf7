/**
 * `npm start`: builds if a source is newer than the build, then brings the shop up, in this process.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
if (!existsSync(join(root, 'node_modules'))) {
  console.error('The dependencies are not installed. Run: npm ci')
  process.exit(1)
}
const flags = process.argv.slice(2)
process.argv.push('--if-stale')
await import('./build.mjs')

const command = join(root, 'dist/cli/main.js')
process.argv = [process.argv[0], command, 'up', join(root, 'build/shop/company.js'), ...flags]

// npm passes signals on, but nobody passes on its own sudden death: then the shop leaves too.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM')
  }, 1_000).unref()
}
await import(command)
