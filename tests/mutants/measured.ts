/**
 * Stands between the trials and the simulator in the copy of the tree that is broken on purpose: after a trial has
 * failed, it shrinks the case as a user's command would, and then asks whether the shrinker could have
 * done better. It changes nothing that the trial sees.
 */
import { writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { env } from 'node:process'
import type { Platform } from '../../src/simulation/core.ts'
import { type Scenario, simulateOn as simulated } from '../../src/simulation/simulate.ts'
import type {
  Fault,
  SimulateOptions,
  SimulationFailure,
  SimulationReport,
} from '../../src/simulation/world.ts'

/** What `mutate-trial.mjs` reads. */
interface Measure {
  readonly seed: number
  readonly judge: string
  readonly planned: number
  readonly kinds: readonly string[]
  readonly shrunk: number
  readonly shrinkMs: number
  /** With how few faults this judge spoke, on any seed or for any choice among this seed's faults. */
  readonly least: number
  /** How that was found: `no faults`, `few faults` (other seeds), `choices` (this seed), or the shrinker. */
  readonly leastBy: string
  /** Were all smaller choices among this seed's faults tried? */
  readonly tried: boolean
}

const otherSeeds = 300
const choicesMax = 1_500
const secondsMax = 90

export async function simulateOn(
  platform: Platform,
  options: SimulateOptions,
  scenario: Scenario,
): Promise<SimulationReport> {
  const report = await simulated(platform, options, scenario)
  const [failure] = report.failures
  const path = env.HOLDFAST_MEASURE
  if (path !== undefined && failure !== undefined && failure.name !== 'nondeterminism') {
    const measure = await measured(platform, options, scenario, failure)
    writeFileSync(path, JSON.stringify(measure))
  }
  return report
}

async function measured(
  platform: Platform,
  options: SimulateOptions,
  scenario: Scenario,
  { seed, name, faults }: SimulationFailure,
): Promise<Measure> {
  const untilMs = performance.now() + secondsMax * 1_000
  const again = async (given: SimulateOptions): Promise<SimulationFailure | undefined> => {
    const asked = { ...options, shrink: false, failuresMax: 1, twiceEvery: 1e9, ...given }
    const { failures } = await simulated(platform, asked, scenario)
    return failures[0]
  }
  const fails = async (given: SimulateOptions): Promise<boolean> =>
    performance.now() < untilMs && (await again(given))?.name === name

  const one = { seeds: 1, firstSeed: seed }
  // Only shrinking asks for the time: from its begin until all runs that it wants are done.
  let startedMs: number | undefined
  const realMs = (): number => platform.elapsedMs?.() ?? 0
  const timed: Platform = {
    ...platform,
    elapsedMs() {
      const nowMs = realMs()
      startedMs ??= nowMs
      return nowMs
    },
  }
  const shrinking = { ...options, ...one, failuresMax: 1, twiceEvery: 1e9, shrink: true }
  const { failures } = await simulated(timed, shrinking, scenario)
  const shrinkMs = startedMs === undefined ? 0 : realMs() - startedMs
  const small = failures[0]?.shrunkFaults ?? faults
  const facts = {
    seed,
    judge: name,
    planned: faults.length,
    kinds: small.map(({ kind }) => kind),
    shrunk: small.length,
    shrinkMs,
  }
  if (small.length > 0 && (await fails({ plan: [], firstSeed: 1, seeds: otherSeeds }))) {
    return { ...facts, least: 0, leastBy: 'no faults', tried: true }
  }
  for (let faultsMax = 1; faultsMax < small.length; faultsMax++) {
    if (await fails({ faultsMax, firstSeed: 1, seeds: otherSeeds })) {
      return { ...facts, least: faultsMax, leastBy: 'few faults', tried: true }
    }
  }
  let choices = 0
  for (let size = 1; size < small.length; size++) {
    for (const plan of subsets(faults, size)) {
      if (++choices > choicesMax) break
      if (await fails({ ...one, plan })) {
        return { ...facts, least: size, leastBy: 'choices', tried: true }
      }
    }
  }
  const tried = choices <= choicesMax && performance.now() < untilMs
  return { ...facts, least: small.length, leastBy: 'the shrinker', tried }
}

function* subsets(
  faults: readonly Fault[],
  size: number,
  from = 0,
): Generator<readonly Fault[], void, undefined> {
  if (size === 0) {
    yield []
    return
  }
  for (let at = from; at <= faults.length - size; at++) {
    const fault = faults[at]
    if (fault === undefined) continue
    for (const rest of subsets(faults, size - 1, at + 1)) yield [fault, ...rest]
  }
}
