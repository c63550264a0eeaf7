/**
 * All checks that run no test: layers, style, lint, types, exports.
 */
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { root } from './sources.mjs'

const commands = [
  [process.execPath, 'scripts/check-layers.mjs'],
  [process.execPath, 'scripts/check-style.mjs'],
  ['npx', '--no-install', 'biome', 'check', '.'],
  ['npm', 'run', '--silent', 'typecheck'],
  [process.execPath, 'scripts/generate-exports.mjs', '--check'],
]
const failed = commands.filter(([file, ...parameters]) => {
  return spawnSync(file, parameters, { cwd: root, stdio: 'inherit' }).status !== 0
})
process.exitCode = failed.length === 0 ? 0 : 1
