import { fileURLToPath } from 'node:url'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

/**
 * One project for what needs no server and waits for no clock (`npm test`), one for real engines and
 * real processes (`npm run test:live`). The build runs first, because a worker thread on Node 20
 * loads JavaScript only.
 */
const config: ViteUserConfig = defineConfig({
  resolve: {
    alias: [
      { find: /^holdfast$/, replacement: source('index.ts') },
      { find: /^holdfast\/errors$/, replacement: source('errors.ts') },
      { find: /^holdfast\/(.+)$/, replacement: source('$1/index.ts') },
    ],
  },
  test: {
    globalSetup: ['scripts/build-for-tests.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{src,tests,examples}/**/*.test.ts'],
          exclude: ['**/*.live.test.ts', '**/node_modules/**', 'dist/**', 'build/**'],
          // Guards against hanging only: nothing here waits for real time, but a machine may be slow.
          testTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'live',
          include: ['{src,tests,examples}/**/*.live.test.ts'],
          exclude: ['**/node_modules/**', 'dist/**', 'build/**'],
          testTimeout: 240_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})

export default config
