import { readdirSync } from 'node:fs'
import { defineConfig, type UserConfig } from 'tsdown'

/** Everything under `src` but tests, one output file per source file: the folder is the import path. */
function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .filter((path) => !/\.(test|sim|bench|d)\.tsx?$/.test(path) && !path.includes('/page/'))
}

const config: UserConfig[] = defineConfig([
  {
    entry: sources('src'),
    outDir: 'dist',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    unbundle: true,
    dts: true,
    fixedExtension: false,
    deps: { neverBundle: [/^node:/, 'libsql', 'better-sqlite3'] },
    logLevel: 'warn',
  },
])

export default config
