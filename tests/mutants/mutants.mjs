/**
 * Planted bugs, as data: each is one edit of one file, what it breaks, and the trial that must find it.
 * A suite that stays green on a broken program proves nothing; this list is how we know that ours does
 * not. `scripts/mutate.mjs` applies them one by one, to a copy.
 *
 *   from     stands in the file exactly once; if it no longer does, the mutant is stale and fails
 *   trial    a name of `trials.mjs`
 *   blind    chosen without a look at the scenario
 *   fast     of the small set that runs with every change
 *   least    the fewest faults with which it can show, worked out by hand; `why` says what it needs
 */
import { blind } from './blind.mjs'
import { drivers } from './drivers.mjs'
import { features } from './features.mjs'
import { judges } from './judges.mjs'
import { kernels } from './kernels.mjs'
import { least } from './least.mjs'
import { simulated } from './simulation.mjs'

/** Found within a few seeds by quick trials, one for each area. */
const fast = new Set([
  'front-jumps-over-busy-item',
  'fence-lets-old-tokens-pass',
  'release-without-owner-check',
  'stale-receipt',
  'retry-of-non-idempotent',
  'budget-never-empty',
  'the-dead-act',
  'empty-run-counts',
  'old-token-accepted-later',
  'queue-leaves-behind',
])

export const mutants = [...kernels, ...drivers, ...features, ...simulated, ...judges, ...blind].map(
  (one) => ({
    blind: false,
    ...one,
    fast: fast.has(one.id),
    least: least.get(one.id)?.[0] ?? 0,
    why: least.get(one.id)?.[1],
  }),
)
