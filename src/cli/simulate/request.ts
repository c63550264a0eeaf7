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
  /** `Infinity` with `minutes` alone, and for a ledger. */
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
  readonly ledger: LedgerRequest | undefined
}

export interface LedgerRequest {
  readonly file: string
  /** All scenarios, in the order in which they are run. */
  readonly targets: readonly string[]
  /** Seeds that count, of each scenario. */
  readonly until: number
  /** `undefined`: the one that the ledger names. */
  readonly commit: string | undefined
  readonly newSection: boolean
}

export const simulateUsage = `usage: holdfast simulate FILE|NAME [options]
       holdfast simulate FILE|NAME... --ledger LEDGER --until N [options]

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

  --ledger LEDGER    keep book (JSON lines) of what was run, and go on where it stopped
  --until N          until so many seeds of each scenario count
  --from-commit ID   what the seeds are derived from; needed when a ledger or section is begun
  --new-section      the code has changed: begin to count anew, below what is there

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
  ledger: { type: 'string' },
  until: { type: 'string' },
  'from-commit': { type: 'string' },
  'new-section': { type: 'boolean', default: false },
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
  const ledger = ledgerRequest(values, positionals)
  if (others.length > 0 && ledger === undefined)
    throw new InvalidArgumentError(`one scenario at a time; got also ${others}`)
  const minutes = values.minutes === undefined ? undefined : positive('--minutes', values.minutes)
  const open = minutes !== undefined || ledger !== undefined
  const oneSeed = values.plan !== undefined || (values.seed !== undefined && minutes === undefined)
  const seeds = values.seeds === undefined ? undefined : whole('--seeds', values.seeds, 1)
  return {
    target,
    firstSeed: values.seed === undefined ? 1 : whole('--seed', values.seed, 0),
    seeds: seeds ?? (open ? Number.POSITIVE_INFINITY : oneSeed ? 1 : 100),
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
    ledger,
  }
}

type Values = { readonly [Flag in keyof typeof flags]?: string | boolean | undefined }

function ledgerRequest(values: Values, targets: readonly string[]): LedgerRequest | undefined {
  const { ledger: file, until, 'from-commit': commit, 'new-section': newSection } = values
  if (typeof file !== 'string') {
    if (until === undefined && commit === undefined && newSection !== true) return undefined
    throw new InvalidArgumentError('--until, --from-commit and --new-section belong to --ledger')
  }
  for (const flag of ['seed', 'seeds', 'plan', 'faults'] as const) {
    if (values[flag] === undefined) continue
    throw new InvalidArgumentError(`--${flag} does not go with --ledger, which chooses its seeds`)
  }
  return {
    file,
    targets,
    until: whole('--until', typeof until === 'string' ? until : '', 1),
    commit: typeof commit === 'string' ? commitOf(commit) : undefined,
    newSection: newSection === true,
  }
}

function commitOf(text: string): string {
  if (/^[0-9a-zA-Z._/-]{4,100}$/.test(text)) return text
  throw new InvalidArgumentError(`--from-commit is "${text}"; expected 4 to 100 letters and digits`)
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
