/**
 * What was asked for on the command line, checked, as data that can travel to a worker.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { InvalidArgumentError } from '../../errors.ts'
import { faultKinds, optionalFaultKinds } from '../../simulation/fault-plan.ts'
import type { FaultKind, Fixture, SimulateOptions } from '../../simulation/world.ts'

export interface SimulateRequest {
  /** A built-in scenario's name, or the path of a module that exports `scenario`. */
  readonly target: string
  readonly firstSeed: number
  /** `Infinity` with `minutes` alone. */
  readonly seeds: number
  readonly minutes: number | undefined
  readonly workers: number
  readonly twice: boolean
  readonly html: string | undefined
  /** Overrides the scenario's own. */
  readonly faults: SimulateOptions['faults'] | undefined
  readonly plan: Fixture | undefined
  /** A seed that takes longer than this has hung. */
  readonly seedSecondsMax: number
}

export const simulateUsage = `usage: holdfast simulate FILE|NAME [options]

  FILE        a module that exports \`scenario\` (and, if you like, \`options\`)
  NAME        a built-in scenario; without either, they are listed

  --seeds N          how many seeds (default 100)
  --seed S           this seed alone; or the first one, with --seeds
  --minutes M        go on for so long
  --faults KINDS     all, none, or kinds with commas between them (default: the scenario's, or all)
  --plan FIXTURE     replay a saved failure (JSON)
  --workers N        worker threads (default: one per core)
  --twice            run every seed twice, and compare
  --seed-seconds N   a seed that takes longer has hung (default 120)
  --html FILE        where to draw the first failure

exit code: 0 all is well, 1 a seed failed or none did anything, 3 this was asked wrongly`

const flags = {
  seeds: { type: 'string' },
  seed: { type: 'string' },
  minutes: { type: 'string' },
  faults: { type: 'string' },
  plan: { type: 'string' },
  workers: { type: 'string' },
  twice: { type: 'boolean', default: false },
  'seed-seconds': { type: 'string' },
  html: { type: 'string' },
} as const

/** @returns `undefined` if no scenario was named. @throws {InvalidArgumentError} */
export function simulateRequest(args: readonly string[]): SimulateRequest | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: flags,
    allowPositionals: true,
  })
  const [target, ...others] = positionals
  if (target === undefined) return undefined
  if (others.length > 0)
    throw new InvalidArgumentError(`one scenario at a time; got also ${others}`)
  const minutes = values.minutes === undefined ? undefined : positive('--minutes', values.minutes)
  const oneSeed = values.seed !== undefined && minutes === undefined
  const seeds = values.seeds === undefined ? undefined : whole('--seeds', values.seeds, 1)
  return {
    target,
    firstSeed: values.seed === undefined ? 1 : whole('--seed', values.seed, 0),
    seeds: seeds ?? (minutes !== undefined ? Number.POSITIVE_INFINITY : oneSeed ? 1 : 100),
    minutes,
    workers:
      values.workers === undefined
        ? Math.min(availableParallelism(), 16)
        : Math.min(whole('--workers', values.workers, 1), 64),
    twice: values.twice,
    html: values.html,
    faults: values.faults === undefined ? undefined : kindsOf(values.faults),
    plan: values.plan === undefined ? undefined : fixtureIn(values.plan),
    seedSecondsMax: positive('--seed-seconds', values['seed-seconds'] ?? '120'),
  }
}

function kindsOf(text: string): 'all' | 'none' | readonly FaultKind[] {
  if (text === 'all' || text === 'none') return text
  const known = [...faultKinds, ...optionalFaultKinds]
  return text.split(',').map((word) => {
    const kind = known.find((name) => name === word.trim())
    if (kind !== undefined) return kind
    throw new InvalidArgumentError(`--faults: there is no "${word}"; known: ${known.join(', ')}`)
  })
}

function fixtureIn(path: string): Fixture {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Fixture
  } catch (cause) {
    throw new InvalidArgumentError(`--plan: cannot read a fixture from ${path}`, { cause })
  }
}

function whole(flag: string, text: string, min: number): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= min) return value
  throw new InvalidArgumentError(`${flag} is "${text}"; expected a whole number from ${min}`)
}

function positive(flag: string, text: string): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0) return value
  throw new InvalidArgumentError(`${flag} is "${text}"; expected a number above 0`)
}
