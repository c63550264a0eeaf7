import { readdirSync } from 'node:fs'
import process from 'node:process'
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
    // Tests need only the code; a type that is wrong is the type check's business.
    dts: process.env.HOLDFAST_BUILD_TYPES !== '0',
    fixedExtension: false,
    deps: { neverBundle: [/^node:/, 'libsql', 'better-sqlite3'] },
    logLevel: 'warn',
  },
  {
    entry: { page: 'src/console/page/page.tsx' },
    outDir: 'dist/console/page',
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    dts: false,
    minify: true,
    deps: { alwaysBundle: [/.*/] },
    copy: [{ from: 'src/console/page/*.{html,css}', to: 'dist/console/page', flatten: true }],
    logLevel: 'warn',
  },
  {
    // The shop is a user: it imports `holdfast/…` by its public name, resolved by package.json.
    entry: sources('examples/shop'),
    outDir: 'build/shop',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    unbundle: true,
    root: 'examples/shop',
    dts: false,
    deps: { neverBundle: [/^node:/, /^holdfast/, 'zod'] },
    fixedExtension: false,
    logLevel: 'warn',
  },
  {
    // The shop's trial goes with the package, for `holdfast simulate shop`: one file, with the one library
    // that the shop has beside us, and that library's licence.
    entry: { scenario: 'examples/shop/trial/scenario.ts' },
    outDir: 'dist/examples/shop',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    dts: false,
    deps: { alwaysBundle: ['zod'], neverBundle: [/^node:/, /^holdfast/] },
    copy: [{ from: 'node_modules/zod/LICENSE', to: 'dist/examples/shop', rename: 'LICENSE.zod' }],
    fixedExtension: false,
    logLevel: 'warn',
  },
])

export default config
