/**
 * The judges' own trial: each planted bug must be found by random lives, and not only by lives that fail to
 * end in agreement.
 */
import { stdout } from 'node:process'
import { expect, it } from 'vitest'
import { planted } from './planted.sim.ts'
import { live } from './schedule.sim.ts'

const seedsMax = 3_000

for (const { breaks, bug, core, weights, directed } of planted) {
  if (directed) continue
  it(`${breaks}: found: ${bug}`, () => {
    for (let seed = 1; seed <= seedsMax; seed++) {
      const { broken } = live({ seed, core, weights })
      if (broken === undefined || broken.startsWith('Liveness')) continue
      stdout.write(`${breaks}, ${bug}: seed ${seed}: ${broken}\n`)
      return
    }
    expect.fail(`not found in ${seedsMax} lives`)
  })
}
