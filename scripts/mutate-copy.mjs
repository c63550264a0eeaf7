/**
 * A copy of the tree in which one file at a time is broken. Dependencies are linked, not copied; the
 * test runner gets a configuration of its own, which builds nothing.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const parts = ['src', 'tests', 'examples', 'scripts', 'package.json', 'tsconfig.json']

export const configName = 'mutants.config.mjs'

/** `resolve` as in vitest.config.ts; time is for a busy machine. */
const config = `
import { fileURLToPath } from 'node:url'
const source = (path) => fileURLToPath(new URL('./src/' + path, import.meta.url))
export default {
  cacheDir: fileURLToPath(new URL('./.cache', import.meta.url)),
  resolve: {
    alias: [
      { find: /^holdfast$/, replacement: source('index.ts') },
      { find: /^holdfast\\/errors$/, replacement: source('errors.ts') },
      { find: /^holdfast\\/(.+)$/, replacement: source('$1/index.ts') },
    ],
  },
  test: {
    include: ['{src,tests,examples}/**/*.test.ts'],
    exclude: ['**/*.live.test.ts', '**/node_modules/**'],
    testTimeout: 900_000,
  },
}
`

/** `head`: the last commit instead of the working tree. */
export function copyOfTree(root, { head }) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mutants-'))
  if (head) {
    const archive = execFileSync('git', ['archive', 'HEAD', ...parts], {
      cwd: root,
      maxBuffer: 2 ** 28,
    })
    execFileSync('tar', ['-x', '-C', folder], { input: archive })
  } else {
    for (const part of parts) cpSync(join(root, part), join(folder, part), { recursive: true })
  }
  const simulator = join(folder, 'src/simulation/node/index.ts')
  const [before, after] = readFileSync(simulator, 'utf8').split(
    `simulateOn } from '../simulate.ts'`,
  )
  if (after === undefined) throw new Error('the simulator is built in another way: measure it anew')
  writeFileSync(
    simulator,
    `${before}} from '../simulate.ts'\nimport { simulateOn } from '../../../tests/mutants/measured.ts'${after}`,
  )
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, configName), config)

  const pathOf = ({ file }) => join(folder, file)
  const textOf = (mutant) => readFileSync(pathOf(mutant), 'utf8')
  return {
    folder,
    /** How often the mutant's text stands in its file; anything but once is stale. */
    matches(mutant) {
      try {
        return textOf(mutant).split(mutant.from).length - 1
      } catch {
        return 0
      }
    },
    /** @returns undoes it. */
    apply(mutant) {
      const sound = textOf(mutant)
      const [before, after] = sound.split(mutant.from)
      writeFileSync(pathOf(mutant), before + mutant.to + after)
      return () => writeFileSync(pathOf(mutant), sound)
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
