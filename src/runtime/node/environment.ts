/**
 * What the environment says about how this program is run.
 */
import process from 'node:process'

/** `NODE_ENV=production`: then nothing is put where nobody asked for it. */
export function isProduction(): boolean {
  return process.env.NODE_ENV === 'production'
}
