/**
 * `holdfast simulate … --ledger`: seeds by the hundred thousand, over many runs, on one code. The seeds
 * come from the commit, so nobody chose them, and anybody can derive them again.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { InvalidArgumentError } from '../../errors.ts'
import { type Ledger, ledgerIn, type Stretch } from './ledger-file.ts'
import { scenarioFile } from './load-scenario.ts'
import type { LedgerRequest, SimulateRequest } from './request.ts'
import { runSeeds, type SeedSource } from './seed-pool.ts'
import type { SeedReport } from './seed-worker.ts'
import { progressLine, replayLine, tellFailure, tellHung } from './told.ts'
import { addSums, duration, emptySums, sumsOf } from './total.ts'

/** So often at least is written down what was done. */
const writeEveryMs = 15_000

/** @returns the exit code: 0, or 1 if a seed failed. @throws {InvalidArgumentError} */
export async function ledgerCommand(
  request: SimulateRequest,
  asked: LedgerRequest,
): Promise<number> {
  const ledger = ledgerIn(asked.file)
  const commit = sectionFor(ledger, asked)
  const { minutes } = request
  const endMs = minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + minutes * 60_000
  let code = 0
  for (const target of asked.targets) {
    const own = { ...request, target }
    const good = await runScenario(own, ledger, { commit, until: asked.until, endMs })
    if (!good) {
      code = 1
      break
    }
  }
  for (const target of asked.targets) process.stdout.write(`${lineOf(target, ledger)}\n`)
  return code
}

/** The seed of this place: 48 bits of a hash. */
export function seedOf(commit: string, scenario: string, index: number): number {
  const hash = createHash('sha256').update(`${commit}\n${scenario}\n${index}`).digest()
  return hash.readUIntBE(0, 6)
}

interface Goal {
  readonly commit: string
  readonly until: number
  readonly endMs: number
}

/** @returns `false`: a seed failed, now or before. */
async function runScenario(request: SimulateRequest, ledger: Ledger, goal: Goal): Promise<boolean> {
  const { target } = request
  const before = ledger.book(target)
  const path = scenarioFile(target)
  const file = path === undefined ? undefined : hashOf([path])
  if (before.next > 0 && before.file !== file) {
    throw new InvalidArgumentError(
      `${target} is not what the ledger counted; begin anew with --new-section`,
    )
  }
  if (before.failure !== undefined) {
    const { seed, name, message } = before.failure
    process.stdout.write(
      `FAILED  seed ${seed}: ${name}: ${message}\nreplay: ${replayLine(request, seed)}\n`,
    )
    return false
  }
  const book = stretches(ledger, target, goal.commit, file)
  let hung: number | undefined
  const showing = progressLine(() => lineOf(target, ledger))
  try {
    await runSeeds(
      request,
      seedsFor(target, goal, before.next, () => book.counted()),
      {
        ran: (index, report) => book.ran(index, report),
        hung(_, seed) {
          hung = seed
        },
      },
    )
  } finally {
    showing.stop()
    book.write()
  }
  const failure = book.failure()
  if (failure !== undefined) await tellFailure(request, failure)
  else if (hung !== undefined) tellHung(request, hung)
  return failure === undefined && hung === undefined
}

function seedsFor(
  scenario: string,
  { commit, until, endMs }: Goal,
  first: number,
  counted: () => number,
): SeedSource {
  let index = first
  return () => {
    if (counted() >= until || Date.now() >= endMs) return undefined
    return { index, seed: seedOf(commit, scenario, index++) }
  }
}

interface Stretches {
  ran(index: number, report: SeedReport): void
  counted(): number
  /** Writes down all that is known without a gap. */
  write(): void
  failure(): SeedReport['failure']
}

/** Threads end their seeds in any order; the ledger is written in order. */
function stretches(
  ledger: Ledger,
  scenario: string,
  commit: string,
  file: string | undefined,
): Stretches {
  const reports = new Map<number, SeedReport>()
  let counted = ledger.book(scenario).sums.counted
  let failure: SeedReport['failure']
  let writtenMs = Date.now()

  function write(): void {
    const first = ledger.book(scenario).next
    const sums = emptySums()
    let failed: SeedReport['failure']
    for (let index = first; failed === undefined; index++) {
      const report = reports.get(index)
      if (report === undefined) break
      reports.delete(index)
      addSums(sums, sumsOf(report))
      failed = report.failure
    }
    if (sums.seeds === 0) return
    const nowMs = Date.now()
    const elapsedMs = nowMs - writtenMs
    writtenMs = nowMs
    failure = failed
    const stretch: Stretch = {
      format: 1,
      scenario,
      commit,
      ...(file === undefined ? {} : { file }),
      first,
      ...sums,
      virtualMs: Math.round(sums.virtualMs),
      elapsedMs,
      ...(failed === undefined ? {} : { failure: told(failed) }),
    }
    ledger.add(stretch)
  }

  return {
    ran(index, report) {
      reports.set(index, report)
      counted += report.seedsThatCount
      if (Date.now() - writtenMs > writeEveryMs) write()
    },
    counted: () => counted,
    write,
    failure: () => failure,
  }
}

const told = ({
  seed,
  name,
  message,
}: NonNullable<SeedReport['failure']>): NonNullable<Stretch['failure']> => ({
  seed,
  name,
  message: message.slice(0, 300),
})

/** @returns the commit from which seeds are derived. @throws {InvalidArgumentError} the code is another. */
function sectionFor(ledger: Ledger, { commit, newSection }: LedgerRequest): string {
  const code = hashOf(packageFiles())
  const last = ledger.section()
  if (last === undefined || newSection) {
    if (commit === undefined) {
      throw new InvalidArgumentError(
        '--from-commit says what the seeds are derived from; it is missing',
      )
    }
    ledger.begin({ commit, code })
    return commit
  }
  const other = commit !== undefined && commit !== last.commit
  if (!other && code === last.code) return last.commit
  throw new InvalidArgumentError(
    `the ledger counts for ${last.commit} with code ${last.code.slice(0, 12)}; ` +
      `this is ${commit ?? last.commit} with ${code.slice(0, 12)}. ` +
      'What was found with other code does not count for this one: begin anew with --new-section',
  )
}

/** All code of the package as it is installed or built. */
function packageFiles(): string[] {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.js') && !path.includes('node_modules'))
    .sort()
    .map((path) => join(root, path))
}

function hashOf(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) hash.update(readFileSync(path)).update('\0')
  return hash.digest('hex')
}

function lineOf(target: string, ledger: Ledger): string {
  const { sums, elapsedMs, failure } = ledger.book(target)
  const { seeds, counted, events, virtualMs } = sums
  const rate = (seeds / Math.max(0.001, elapsedMs / 1_000)).toFixed(1)
  const end = failure === undefined ? '' : `, FAILED at seed ${failure.seed}`
  return (
    `${target}: ${seeds} seeds (${counted} count), ${events} events, ` +
    `${duration(virtualMs)} simulated, ${rate} seeds/s${end}`
  )
}
