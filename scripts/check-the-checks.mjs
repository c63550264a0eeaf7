/**
 * A check that cannot fail checks nothing: each rule is broken on purpose in a file of its own, and the
 * check must name it. The files are removed again, whatever happens.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { root } from './sources.mjs'

const opening = '/** A planted fault. */\n'
const long = (lines) => Array.from({ length: lines }, (_, index) => `  void ${index}`).join('\n')

const plants = [
  [
    'check-layers.mjs',
    'src/ports/planted.ts',
    `${opening}import { lock } from '../coordination/lock.ts'\nvoid lock\n`,
    'ports may not import coordination',
  ],
  [
    'check-layers.mjs',
    'src/kernels/planted.ts',
    `${opening}import { readFileSync } from 'node:fs'\nvoid readFileSync\n`,
    'node:fs is reached through Runtime',
  ],
  [
    'check-layers.mjs',
    'src/drivers/redis/planted.ts',
    `${opening}import { embedded } from '../embedded/embedded.ts'\nvoid embedded\n`,
    'may not import driver embedded',
  ],
  [
    'check-layers.mjs',
    'src/verification/planted.ts',
    `${opening}import { HoldfastError } from '../errors.ts'\nvoid HoldfastError\n`,
    'verification may not import errors',
  ],
  [
    'check-layers.mjs',
    'examples/planted.ts',
    `${opening}import { lock } from '../src/coordination/lock.ts'\nvoid lock\n`,
    'as a user would',
  ],
  [
    'check-style.mjs',
    'src/kernels/planted.ts',
    `${opening}export const now: number = Date.now()\n`,
    'use runtime.clock',
  ],
  [
    'check-style.mjs',
    'src/kernels/planted.ts',
    `${opening}export const chance: number = Math.random()\n`,
    'use runtime.random',
  ],
  [
    'check-style.mjs',
    'src/protocols/planted.ts',
    `${opening}export async function wait(): Promise<void> {}\n`,
    'a pure, synchronous function',
  ],
  [
    'check-style.mjs',
    'src/kernels/planted.ts',
    `${opening}export const lost: any = 1\n`,
    'use a type',
  ],
  [
    'check-style.mjs',
    'src/kernels/planted.ts',
    `${opening}export function long(): void {\n${long(80)}\n}\n`,
    'own lines',
  ],
  ['check-style.mjs', 'src/kernels/planted.ts', `${opening}${long(410)}\n`, 'split by idea'],
  [
    'check-style.mjs',
    'src/kernels/planted.ts',
    'export const bare = 1\n',
    'open the file with its intuition',
  ],
]

let missed = 0
for (const [script, file, content, expected] of plants) {
  const path = join(root, file)
  mkdirSync(dirname(path), { recursive: true })
  try {
    writeFileSync(path, content)
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, 'scripts', script), file],
      { encoding: 'utf8' },
    )
    const found = status !== 0 && `${stdout}${stderr}`.includes(expected)
    if (!found) console.error(`${script} missed the fault in ${file}: expected "${expected}"`)
    missed += found ? 0 : 1
  } finally {
    rmSync(path, { force: true })
  }
}
for (const folder of ['src/drivers/redis', 'src/protocols', 'src/verification']) {
  // Only if the plant made it: a folder with files in it stays.
  spawnSync('rmdir', [join(root, folder)])
}
console.log(`negative controls: ${plants.length - missed} of ${plants.length} found`)
process.exitCode = missed === 0 ? 0 : 1
