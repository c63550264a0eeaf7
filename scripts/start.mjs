/**
 * `npm start`: builds if a source is newer than the build, then brings the shop up.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
if (!existsSync(join(root, 'node_modules'))) {
  console.error('The dependencies are not installed. Run: npm ci')
  process.exit(1)
}
process.argv.push('--if-stale')
await import('./build.mjs')
process.argv.pop()

const command = [join(root, 'dist/cli/main.js'), 'up', join(root, 'build/shop/company.js')]
const child = spawn(process.execPath, [...command, ...process.argv.slice(2)], { stdio: 'inherit' })
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal))
child.once('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 0 : 1)
})
