/**
 * A world is a small universe made from a seed: machines with disks and clocks, a network between
 * them, processes that live, pause and die on them, and faults. Time is virtual: an hour passes as fast
 * as the events in it can be run, and nothing happens that the seed did not decide.
 *
 * These are the types a scenario sees; `simulate` makes the world and runs it.
 */
import type { Runtime } from '../runtime/runtime.ts'
import type { HistoryJudge } from './histories.ts'
import type { History } from './history.ts'

export interface World {
  readonly seed: number
  /** Virtual milliseconds since the world began. */
  nowMs(): number
  /** The machine of this name, made on first use. */
  machine(name: string): Machine
  /**
   * A client that never crashes or pauses, on a machine of its own, for the workload and the history.
   * The run lasts until all clients have ended (or `durationMs` is over).
   */
  client(name: string, main: (runtime: Runtime) => Promise<void>, options?: ClientOptions): void
  /**
   * A program on a machine of its own that faults may strike, and that the run waits for: when it is
   * killed, or gives up with an error of Holdfast that says `not-applied` or `unknown`, it is started again
   * from its beginning, until it has come to its end. Any other error is a bug in it, and fails the run.
   */
  node(name: string, main: (runtime: NodeRuntime) => Promise<void>, options?: NodeOptions): Process
  /** A record of who asked for what, and of what came back. Each name is a history of its own. */
  history<Input = unknown, Output = unknown>(name?: string): History<Input, Output>
  /**
   * Lets a judge read a history (`world.history()`, or the one named) when all else is over. A violation
   * fails the run under the judge's name; a seed that a judge cannot decide does not count, and is
   * reported as `undecided`.
   */
  check(judge: HistoryJudge, options?: { readonly history?: string }): void
  /**
   * Runs after faults have been healed and all clients have ended: what must be true in the end. May
   * wait. It runs as a process of its own, on `machine` if named (to see that machine's files).
   */
  afterHealing(
    name: string,
    verify: (runtime: Runtime) => Promise<void>,
    options?: { readonly machine?: string },
  ): void
  /** Checked after every event: return a sentence to fail the run. Keep it cheap. */
  invariant(name: string, holds: () => true | string): void
  /** Fails the run at once: the verdict class is `name`, the rest is for people. */
  fail(name: string, message: string): void
  /** Records that something worth reaching was reached; reported over all seeds. */
  reached(label: string): void
  /**
   * Says that something was made durable. SQL commits and disk syncs count by themselves; a world that
   * keeps its truth elsewhere calls this, so that `seedsThatCount` can ask for progress after a fault.
   */
  committed(): void
  readonly faults: FaultControl
}

export interface Machine {
  readonly name: string
  /**
   * Starts a process now, and again after each restart: `main` is its program. Returning ends it in
   * good order; throwing is a crash that is reported as a failure of the run unless `mayThrow`.
   */
  process(
    name: string,
    main: (runtime: Runtime) => Promise<void>,
    options?: ProcessOptions,
  ): Process
  /**
   * A client like `World.client`, but on this machine, where it sees the machine's files. Random
   * faults do not crash a machine that has one; a crash by hand starts it again with the machine.
   */
  client(name: string, main: (runtime: Runtime) => Promise<void>, options?: ClientOptions): void
  /** Power cut: all processes die, unsynced writes may be lost or torn, the boot id changes at restart. */
  crash(): void
  /** Power back: every process that was alive starts again. */
  restart(): void
}

export interface ProcessOptions {
  /** Do random faults leave it alone? Default `false`. */
  readonly protected?: boolean
  readonly mayThrow?: boolean
  /** The scenario makes sense without it: shrinking tries to leave it out. Default `false`. */
  readonly optional?: boolean
}

/** What a node's program is given: its runtime, and the world's history to write into. */
export interface NodeRuntime extends Runtime {
  readonly history: History
}

export interface NodeOptions {
  /** The scenario makes sense without it: shrinking tries to leave it out. Default `false`. */
  readonly optional?: boolean
}

export interface ClientOptions {
  /** The scenario makes sense without it: shrinking tries to leave it out. Default `false`. */
  readonly optional?: boolean
}

export interface Process {
  readonly name: string
  readonly alive: boolean
  /** SIGKILL: timers, sockets and pending calls freeze for ever; the machine's page cache survives. */
  kill(): void
  /** A new incarnation of the same program. Does nothing while it lives. */
  restart(): void
  /** SIGSTOP for that long: the process does nothing while its clocks run on. */
  pause(durationMs: number): void
}

/** Faults by hand, for scenarios that need one at the worst moment. */
export interface FaultControl {
  /** Cuts traffic between two machines, one-way if asked, until healed. */
  partition(source: string, target: string, options?: { readonly oneWay?: boolean }): void
  heal(): void
  /** Share of datagrams lost and of hints lost, 0 to 1. */
  loss(share: number): void
  /** Moves a machine's wall clock. */
  stepWallClock(machine: string, byMs: number): void
}

/**
 * The kinds of random fault. A plan draws from these; each seed switches some off entirely. `'all'` is
 * what every correct program survives; the last three must be asked for by name.
 */
export type FaultKind =
  | 'kill'
  | 'machine-crash'
  | 'pause'
  | 'partition'
  | 'one-way-partition'
  | 'stream-break'
  | 'datagram-loss'
  | 'hint-loss'
  | 'slow-network'
  | 'slow-disk'
  | 'wall-clock-step'
  | 'wall-clock-drift'
  /** A power cut that also tears unsynced sectors in the middle. */
  | 'torn-write'
  /** Writes are refused for want of space: nothing happened. */
  | 'disk-full'
  /** A sync or commit fails part way: what it covered may or may not be on disk, now and later. */
  | 'sync-failure'
  /** A middlebox forgets connections: both sides go on, and hear nothing more from each other. */
  | 'half-open'
  /** Datagrams come doubled, and late by up to half a second. */
  | 'datagram-disorder'
  /** A machine's monotonic clock runs fast or slow, by no more than the drift margin of leases allows. */
  | 'monotonic-drift'
  /** A wall clock stands still. */
  | 'wall-clock-freeze'
  /** By name only: a machine stands still with its monotonic clock, as a suspended virtual machine. */
  | 'suspend'
  /** By name only: a power cut that takes the disk with it; never of more than a minority. */
  | 'machine-loss'
  /** By name only: a synced bit flips; never in more than a minority of the copies of a sector. */
  | 'bit-rot'

/** One planned fault: data, so that it can be shrunk, saved and drawn. */
export interface Fault {
  readonly id: string
  readonly kind: FaultKind
  /** Virtual time at which it strikes. */
  readonly atMs: number
  readonly durationMs: number
  /** What it strikes: names of machines or processes, resolved when it strikes. */
  readonly target: string
  readonly amount?: number
}

export interface SimulateOptions {
  /** Seeds `firstSeed … firstSeed + seeds - 1`. Default 1 seed. */
  readonly seeds?: number
  readonly firstSeed?: number
  /** `none` for plain tests in virtual time. Default `none`. */
  readonly faults?: 'all' | 'none' | readonly FaultKind[]
  /** How long faults may strike before the world is healed. Default 60_000 virtual ms. */
  readonly durationMs?: number
  /** Faults per run, at most. Default 20. */
  readonly faultsMax?: number
  /** A run that has not ended this long after healing made no progress: it fails. Default 600_000. */
  readonly livenessMs?: number
  /** Runs every failing seed, and one in `twiceEvery` (default 50) passing ones, twice. */
  readonly twiceEvery?: number
  /** Stop after this many failing seeds. Default 1. */
  readonly failuresMax?: number
  /**
   * Looks for the fewest and shortest faults, and the fewest optional processes, with which the first
   * failing seed still fails: for at most 10 s or 2,000 runs.
   */
  readonly shrink?: boolean
  /** A run of more events than this never ends: it fails. Default 20_000_000. */
  readonly eventsMax?: number
  /** Writes the picture of each failing seed there, as `SEED.html`; the folder must exist. */
  readonly timelineFolder?: string
  /**
   * Replays exactly these faults instead of drawing them; or a whole fixture, whose seed and times then
   * count instead of the options here.
   */
  readonly plan?: readonly Fault[] | Fixture
}

export interface SimulationReport {
  readonly seeds: number
  /**
   * Seeds that prove something: the liveness phase finished, all clients and final checks ended (or, if
   * there are none, 10,000 events happened), and, where faults were asked for, three hit something and
   * something was committed after the first. Where nothing is ever committed, a client or check that
   * ended after a fault stands for it.
   */
  readonly seedsThatCount: number
  /** Why the other seeds do not count, and how many for each reason. */
  readonly notCounted: Readonly<Record<string, number>>
  /** Judges that could not decide, and for how many seeds. Such a seed does not count. */
  readonly undecided: Readonly<Record<string, number>>
  readonly events: number
  readonly virtualMs: number
  readonly failures: readonly SimulationFailure[]
  /** How many seeds reached each label. */
  readonly reached: Readonly<Record<string, number>>
  /** How often each kind of fault struck. */
  readonly struck: Readonly<Partial<Record<FaultKind, number>>>
  /** Hash over all traces: equal on every machine for the same code and options. */
  readonly traceHash: string
}

/** A failing run as data: it survives changes of the code better than a seed does. */
export interface Fixture {
  readonly format: 1
  readonly seed: number
  readonly durationMs: number
  readonly livenessMs: number
  /** Was it a world with rough edges (late timers, split streams), as with any random fault? */
  readonly rough: boolean
  readonly faults: readonly Fault[]
  /** Optional processes that were left out. */
  readonly absent: readonly string[]
}

/** A run drawn in space and time. */
export interface Timeline {
  /** The last `lines` (default 40) happenings, one column per process. */
  text(lines?: number): string
  /** One page that needs nothing else: lanes, arrows, faults, a window of time to zoom. */
  html(): string
}

export interface SimulationFailure {
  readonly seed: number
  /** The invariant, judge or client that failed; `nondeterminism` if two runs of the seed differ. */
  readonly name: string
  /** What sort of failure under that name: of an error its code, of a judge what it says. */
  readonly kind?: string
  readonly message: string
  readonly error?: unknown
  readonly faults: readonly Fault[]
  /** The fewest faults found that still fail, with `shrink`. */
  readonly shrunkFaults?: readonly Fault[]
  /** All that is needed to see it again, shrunk if asked for: save it as JSON, replay it as `plan`. */
  readonly fixture?: Fixture
  /** Runs the fixture once more and draws it. */
  readonly timeline?: () => Promise<Timeline>
  /** Where its picture was written, with `timelineFolder`. */
  readonly timelineFile?: string
  /** The last lines of the trace. */
  readonly trace: readonly string[]
  readonly atMs: number
}
