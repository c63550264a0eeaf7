/**
 * A scenario as a test of your test runner. Green says nothing. Red says which seed, how to run it again,
 * and where its picture is.
 *
 * Vitest, `node:test` and Bun are started alike, by a name, options with a timeout, and a function; so you
 * hand over `test`, and we depend on none of them.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { InvalidArgumentError } from '../errors.ts'
import { expectClean, failureText, SimulationError } from '../simulation/expect-clean.ts'
import type { SimulateOptions, SimulationFailure, SimulationReport } from '../simulation/world.ts'
import { type Scenario, simulate } from './world.ts'

/** `test` of Vitest or of `node:test`. */
export type TestFunction = (
  name: string,
  options: { readonly timeout: number },
  body: () => Promise<void>,
) => unknown

export interface SimulationTestOptions extends SimulateOptions {
  /** So many seeds must have done something. Default: half of them. */
  readonly countingMin?: number
  /** So many seeds may stay undecided by a judge. Default 0. */
  readonly undecidedMax?: number
  /** Labels of `world.reached`, and the share of seeds that must reach each, above 0 and up to 1. */
  readonly reachedMin?: Readonly<Record<string, number>>
  /** Guards against hanging. Default: two minutes, and three seconds more for each seed. */
  readonly timeoutMs?: number
  /** Where the picture of a failure is written; made if it is not there. Default `simulation-failures`. */
  readonly timelineFolder?: string
}

export type SimulationTest = (
  name: string,
  options: SimulationTestOptions,
  scenario: Scenario,
) => void

/**
 * `simulationTest(name, options, scenario)` for the runner whose `test` is given. Seeds: `options.seeds`
 * (default 100), fewer or more with `HOLDFAST_SEEDS=N` in the environment, others with
 * `HOLDFAST_FIRST_SEED=S`, one alone with `HOLDFAST_SEED=S`. A failure is shrunk unless `shrink` is false.
 *
 * @throws {InvalidArgumentError} a variable of the environment is not a number.
 */
export function simulationTestWith(test: TestFunction): SimulationTest {
  return (name, options, scenario) => {
    const asked = seedsAsked(process.env, options)
    const { timeoutMs = 120_000 + asked.seeds * 3_000 } = options
    test(name, { timeout: timeoutMs }, async () => {
      const { timelineFolder = 'simulation-failures', ...settings } = options
      const report = await simulate({ shrink: true, ...settings, ...asked.given }, scenario)
      const [failure] = report.failures
      if (failure !== undefined) throw await explained(failure, name, timelineFolder)
      const least = asked.single ? 0 : (options.countingMin ?? Math.ceil(asked.seeds / 2))
      expectClean(report, least, { undecidedMax: options.undecidedMax ?? 0 })
      if (!asked.single) expectReached(report, options.reachedMin ?? {})
    })
  }
}

interface SeedsAsked {
  readonly seeds: number
  /** One seed is run again: what is asked of many says nothing. */
  readonly single: boolean
  readonly given: Pick<SimulateOptions, 'seeds' | 'firstSeed'>
}

function seedsAsked(
  environment: Readonly<Record<string, string | undefined>>,
  options: SimulateOptions,
): SeedsAsked {
  const number = (name: string, min: number): number | undefined => {
    const text = environment[name]
    if (text === undefined || text === '') return undefined
    const value = Number(text)
    if (Number.isSafeInteger(value) && value >= min) return value
    throw new InvalidArgumentError(`${name} is "${text}"; expected a whole number from ${min}`)
  }
  const seed = number('HOLDFAST_SEED', 0)
  if (seed !== undefined) {
    return { seeds: 1, single: true, given: { seeds: 1, firstSeed: seed } }
  }
  const seeds = number('HOLDFAST_SEEDS', 1) ?? options.seeds ?? 100
  const firstSeed = number('HOLDFAST_FIRST_SEED', 0) ?? options.firstSeed ?? 1
  return { seeds, single: options.plan !== undefined, given: { seeds, firstSeed } }
}

/** The error a test shows: what failed, how to see it again, and where it is drawn. */
async function explained(
  failure: SimulationFailure,
  name: string,
  folder: string,
): Promise<SimulationError> {
  const replay =
    `HOLDFAST_SEED=${failure.seed} and the same command\n` +
    `  (this test alone: vitest run -t '${name}', or node --test --test-name-pattern '${name}')`
  const picture = await drawn(failure, name, folder)
  return new SimulationError(`${failureText(failure, replay)}\n${picture}`, failure)
}

async function drawn(failure: SimulationFailure, name: string, folder: string): Promise<string> {
  if (failure.timeline === undefined) return 'no picture'
  const words = name.replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 80)
  const file = join(folder, `${words}-${failure.seed}.html`)
  try {
    const page = (await failure.timeline()).html()
    await mkdir(folder, { recursive: true })
    await writeFile(file, page)
    return `picture: ${file}`
  } catch (error) {
    // Nothing about a picture may hide the failure that it shows.
    return `no picture: ${String(error)}`
  }
}

/** @throws {SimulationError} a label was reached by too few seeds. */
function expectReached(
  { reached, seeds }: SimulationReport,
  shares: Readonly<Record<string, number>>,
): void {
  for (const [label, share] of Object.entries(shares)) {
    const times = reached[label] ?? 0
    const least = Math.max(1, Math.ceil(share * seeds))
    if (times >= least) continue
    throw new SimulationError(
      `only ${times} of ${seeds} seeds reached "${label}"; expected ${least}`,
      undefined,
    )
  }
}
