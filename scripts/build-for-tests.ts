/**
 * Builds before the tests when a source is newer than the build: a worker thread on Node 20 loads
 * JavaScript only, and tests of whole processes start what a user would start.
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export function setup(): void {
  execFileSync(
    process.execPath,
    [fileURLToPath(new URL('build.mjs', import.meta.url)), '--if-stale'],
    {
      env: { ...process.env, HOLDFAST_BUILD_TYPES: '0' },
      stdio: 'inherit',
    },
  )
}
