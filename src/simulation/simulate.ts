/**
 * Runs a scenario over many seeds and adds up what was seen. Failing seeds, and some passing ones, run
 * twice: a seed whose two traces differ has a leak of nondeterminism, which is a bug of its own kind.
 */
import { InvalidArgumentError } from '../errors.ts'
import { hashText, mix } from './chance.ts'
import type { Platform } from './core.ts'
import { faultKinds, planFaults } from './fault-plan.ts'
import { type RunOptions, type RunResult, runOnce } from './run.ts'
import { type Candidate, shrinkCase } from './shrink.ts'
import { timelineOf } from './timeline.ts'
import type {
  Fault,
  FaultKind,
  Fixture,
  SimulateOptions,
  SimulationFailure,
  SimulationReport,
  World,
} from './world.ts'

export type Scenario = (world: World) => void | Promise<void>

export async function simulateOn(
  platform: Platform,
  options: SimulateOptions,
  scenario: Scenario,
): Promise<SimulationReport> {
  const settings = settled(options)
  const { seeds, firstSeed, failuresMax, twiceEvery } = settings
  const failures: SimulationFailure[] = []
  const tally = emptyTally()
  for (let seed = firstSeed; seed < firstSeed + seeds && failures.length < failuresMax; seed++) {
    const run = (given: Partial<RunOptions>): Promise<RunResult> =>
      runOnce(platform, { ...settings, plan, seed, ...given }, scenario)
    const plan = settings.plan ?? planFaults(seed, settings)
    const first = await run({})
    count(tally, first)
    if (first.failure !== undefined || seed % twiceEvery === 0) {
      const second = await run({})
      if (second.traceHash !== first.traceHash) failures.push(nondeterminism(seed, first, second))
    }
    if (first.failure === undefined) continue
    const shrinks = options.shrink === true && failures.length === 0
    failures.push(await explained(platform, settings, first, shrinks, run))
  }
  return {
    seeds: tally.seeds,
    seedsThatCount: tally.seedsThatCount,
    notCounted: Object.fromEntries(tally.notCounted),
    undecided: Object.fromEntries(tally.undecided),
    events: tally.events,
    virtualMs: tally.virtualMs,
    failures,
    reached: Object.fromEntries(tally.reached),
    struck: Object.fromEntries(tally.struck),
    traceHash: tally.hash.toString(16).padStart(8, '0'),
  }
}

type Run = (given: Partial<RunOptions>) => Promise<RunResult>

/** The failure with all that helps to see it again. */
async function explained(
  platform: Platform,
  settings: Settings,
  { failure, optional, events }: RunResult,
  shrinks: boolean,
  run: Run,
): Promise<SimulationFailure> {
  if (failure === undefined) throw new Error('only a failure can be explained')
  // With fewer faults a run may do more, but one that does far more is another story, and takes too long.
  const eventsMax = Math.min(settings.eventsMax, 2 * events + 100_000)
  const within: Run = (given) => run({ eventsMax, ...given })
  const whole: Candidate = { faults: failure.faults, absent: [...settings.absent] }
  const least = shrinks ? await shrunk(platform, failure, { optional, events }, within) : whole
  const { durationMs, livenessMs, rough } = settings
  const fixture: Fixture = {
    format: 1,
    seed: failure.seed,
    durationMs,
    livenessMs,
    rough,
    ...least,
  }
  return {
    ...failure,
    ...(shrinks ? { shrunkFaults: least.faults } : {}),
    fixture,
    async timeline() {
      const absent = new Set(least.absent)
      const drawn = await run({ plan: least.faults, absent, record: true })
      const { recording } = drawn
      const { name, message } = drawn.failure ?? failure
      if (recording === undefined) throw new Error('nothing was recorded')
      const [first] = message.split('\n')
      return timelineOf(recording, `seed ${failure.seed}: ${name}: ${first}`)
    },
  }
}

const shrinkMs = 10_000

/** The least that makes this seed fail under the same name and in the same way. */
function shrunk(
  platform: Platform,
  { name, kind, faults }: SimulationFailure,
  { optional, events }: Pick<RunResult, 'optional' | 'events'>,
  run: Run,
): Promise<Candidate> {
  let lastEvents = events
  const isFailingLong = (): boolean => events > 3 * lastEvents
  const endMs = (platform.elapsedMs?.() ?? 0) + shrinkMs
  const isOver = (): boolean => (platform.elapsedMs?.() ?? 0) > endMs
  const fails = async (candidate: Candidate): Promise<boolean> => {
    const absent = new Set(candidate.absent)
    const { failure, events: ran } = await run({
      plan: candidate.faults,
      absent,
      isGivenUp: isOver,
    })
    lastEvents = ran
    return failure?.name === name && failure.kind === kind
  }
  return shrinkCase(faults, optional, fails, { isOver, isFailingLong })
}

interface Settings extends Omit<RunOptions, 'seed' | 'plan'> {
  readonly seeds: number
  readonly firstSeed: number
  readonly failuresMax: number
  readonly twiceEvery: number
  readonly faultsMax: number
  readonly kinds: readonly FaultKind[]
  readonly absent: ReadonlySet<string>
  readonly plan: readonly Fault[] | undefined
}

function settled(options: SimulateOptions): Settings {
  const { faults = 'none' } = options
  const kinds = faults === 'all' ? faultKinds : faults === 'none' ? [] : faults
  const whole = (name: keyof SimulateOptions, fallback: number, min: number): number => {
    const value = options[name] ?? fallback
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return value
    throw new InvalidArgumentError(
      `${name} is ${String(value)}; expected a whole number from ${min}`,
    )
  }
  return {
    seeds: whole('seeds', 1, 1),
    firstSeed: whole('firstSeed', 1, 0),
    failuresMax: whole('failuresMax', 1, 1),
    twiceEvery: whole('twiceEvery', 50, 1),
    faultsMax: whole('faultsMax', 20, 0),
    durationMs: whole('durationMs', 60_000, 1),
    livenessMs: whole('livenessMs', 600_000, 1),
    eventsMax: whole('eventsMax', 20_000_000, 1),
    kinds,
    rough: kinds.length > 0 || options.plan !== undefined,
    absent: new Set(),
    plan: isFixture(options.plan) ? undefined : options.plan,
    ...(isFixture(options.plan) ? fromFixture(options.plan) : {}),
  }
}

function isFixture(plan: SimulateOptions['plan']): plan is Fixture {
  return plan !== undefined && 'format' in plan
}

function fromFixture(fixture: Fixture): Partial<Settings> {
  const { format, seed, durationMs, livenessMs, rough, faults, absent } = fixture
  if (format !== 1) {
    throw new InvalidArgumentError(`plan has format ${String(format)}; this code knows 1`)
  }
  const times = { durationMs, livenessMs }
  return { seeds: 1, firstSeed: seed, ...times, rough, plan: faults, absent: new Set(absent) }
}

interface Tally {
  seeds: number
  seedsThatCount: number
  events: number
  virtualMs: number
  hash: number
  readonly notCounted: Map<string, number>
  readonly undecided: Map<string, number>
  readonly reached: Map<string, number>
  readonly struck: Map<FaultKind, number>
}

function emptyTally(): Tally {
  return {
    seeds: 0,
    seedsThatCount: 0,
    events: 0,
    virtualMs: 0,
    hash: 0,
    notCounted: new Map(),
    undecided: new Map(),
    reached: new Map(),
    struck: new Map(),
  }
}

function count(tally: Tally, run: RunResult): void {
  tally.seeds++
  if (run.notCounted === undefined) tally.seedsThatCount++
  else add(tally.notCounted, run.notCounted, 1)
  for (const judge of run.undecided) add(tally.undecided, judge, 1)
  tally.events += run.events
  tally.virtualMs += run.virtualMs
  tally.hash = mix(tally.hash, hashText(run.traceHash))
  for (const label of run.reached) add(tally.reached, label, 1)
  for (const [kind, times] of run.struck) add(tally.struck, kind, times)
}

function add<Name>(sums: Map<Name, number>, name: Name, more: number): void {
  sums.set(name, (sums.get(name) ?? 0) + more)
}

function nondeterminism(seed: number, first: RunResult, second: RunResult): SimulationFailure {
  const lines = first.failure?.trace ?? []
  return {
    seed,
    name: 'nondeterminism',
    message:
      `two runs of seed ${seed} differ: ${first.events} events with trace ${first.traceHash}, ` +
      `then ${second.events} with ${second.traceHash}. Something bypasses Runtime.`,
    faults: first.failure?.faults ?? [],
    trace: lines,
    atMs: Math.min(first.virtualMs, second.virtualMs),
  }
}
