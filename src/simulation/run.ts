/**
 * One run of one seed: first the workload under faults, then the healing, then progress and the final
 * checks. The first failure ends the run.
 */

import { isHoldfastError } from '../errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { RuntimeBypassedError } from './bypassed.ts'
import { type Draws, hashText, mix, seedKey } from './chance.ts'
import type { Core, Platform } from './core.ts'
import { faultAtlas } from './fault-atlas.ts'
import { faultControl } from './fault-control.ts'
import { type Histories, histories } from './histories.ts'
import { type Incarnation, incarnation } from './incarnation.ts'
import { type SimulatedMachine, simulatedMachine } from './machine.ts'
import { type Fabric, fabric } from './network.ts'
import { type ProcessEvents, type SimulatedProcess, simulatedProcess } from './process.ts'
import { progress } from './progress.ts'
import { type Recording, recorder } from './recorder.ts'
import { scheduler } from './scheduler.ts'
import { trace } from './trace.ts'
import { weather } from './weather.ts'
import type { Fault, FaultKind, SimulationFailure, World } from './world.ts'
import { worldOf } from './world-of.ts'

export interface RunOptions {
  readonly seed: number
  readonly plan: readonly Fault[]
  readonly rough: boolean
  readonly durationMs: number
  readonly livenessMs: number
  readonly eventsMax: number
  /** Optional processes and clients that never start. */
  readonly absent?: ReadonlySet<string>
  /** Keep what a picture needs. */
  readonly record?: boolean
  /** Asked now and then; once true the run is given up, and its result says nothing. */
  readonly isGivenUp?: () => boolean
}

export interface RunResult {
  readonly failure: SimulationFailure | undefined
  readonly events: number
  readonly virtualMs: number
  readonly traceHash: string
  readonly reached: ReadonlySet<string>
  readonly struck: ReadonlyMap<FaultKind, number>
  /** Why the run proves nothing; `undefined` if it counts. */
  readonly notCounted: string | undefined
  /** Judges that could not decide, with the reason. */
  readonly undecided: readonly string[]
  /** Processes and clients that the scenario could do without. */
  readonly optional: readonly string[]
  readonly recording: Recording | undefined
}

/** The parts of a running world, for those who build the scenario's view and strike faults. */
export interface Stage {
  readonly seed: number
  readonly core: Core
  readonly fabric: Fabric
  readonly machines: Map<string, SimulatedMachine>
  readonly owners: Map<Incarnation, SimulatedProcess>
  readonly invariants: Map<string, () => true | string>
  readonly verifications: Verification[]
  readonly histories: Histories
  readonly reached: Set<string>
  readonly healed: boolean
  machine(name: string): SimulatedMachine
  /** Adds a process and starts it. */
  start(
    machine: SimulatedMachine,
    name: string,
    role: SimulatedProcess['role'],
    main: (runtime: Runtime) => Promise<void>,
  ): SimulatedProcess
  fail(name: string, message: string, error?: unknown, kind?: string): void
  /** Lets a synced bit flip where a majority can still mend it. @returns where. */
  rot(draws: Draws): string | undefined
}

export interface Verification {
  readonly name: string
  readonly machine: string
  readonly verify: (runtime: Runtime) => Promise<void>
}

type Phase = 'prepare' | 'faults' | 'healed' | 'over'

const restartAfterMs = 1_000
/** Between two looks at whether a run is given up: some milliseconds of work. */
const stepsPerLook = 1_024

export async function runOnce(
  platform: Platform,
  options: RunOptions,
  scenario: (world: World) => void | Promise<void>,
): Promise<RunResult> {
  const core = coreOf(platform, options, (owner, error) => uncaught(owner, error))
  const { scheduler: events, nature, trace: log, progress: book, recorder: film } = core
  const atlas = faultAtlas()
  const machines = new Map<string, SimulatedMachine>()
  const owners = new Map<Incarnation, SimulatedProcess>()
  const net = fabric(core, (host) => machines.get(host)?.isUp() === true)
  let failure: SimulationFailure | undefined
  let phase = 'prepare' as Phase
  const open = new Set<SimulatedProcess>()
  const optional: string[] = []
  let awaited = 0
  let verified = 0

  const stage: Stage = {
    seed: options.seed,
    core,
    fabric: net,
    machines,
    owners,
    invariants: new Map(),
    verifications: [],
    histories: histories(core),
    reached: new Set(),
    get healed() {
      return phase === 'healed'
    },
    machine(name) {
      let machine = machines.get(name)
      if (machine === undefined) {
        machine = simulatedMachine(core, net, name)
        machines.set(name, machine)
      }
      return machine
    },
    start(machine, name, role, main) {
      const process = simulatedProcess(core, machine, name, role, main, processEvents, owners)
      if (role.optional === true) optional.push(process.name)
      if (options.absent?.has(process.name) === true) {
        process.leaveOut()
        return process
      }
      machine.processes.set(name, process)
      if (role.awaited) {
        open.add(process)
        awaited++
      }
      process.start()
      return process
    },
    fail,
    rot: (draws) => atlas.rot([...machines.values()], draws),
  }
  const faults = faultControl(stage)

  function fail(name: string, message: string, error?: unknown, kind = kindOf(error)): void {
    if (failure !== undefined) return
    const lane = phase === 'over' ? undefined : events.current()?.name
    film?.mark('violation', lane, `${name}: ${message.split('\n', 1)[0]}`)
    failure = {
      seed: options.seed,
      name,
      message,
      ...(kind === undefined ? {} : { kind }),
      ...(error === undefined ? {} : { error }),
      faults: options.plan,
      trace: [],
      atMs: events.nowUs() / 1_000,
    }
  }

  const processEvents: ProcessEvents = {
    ended(process) {
      if (open.delete(process)) book.ended()
    },
    threw(process, what, error) {
      if (error instanceof RuntimeBypassedError)
        return fail('nondeterminism', messageOf(error), error)
      if (!forgiven(process.role.mayThrow, error)) return fail(what, messageOf(error), error)
      process.end('kill')
      events.after(nature, restartAfterMs * 1_000, 'restart', () => process.start())
    },
  }

  /** An error that a callback threw, or a rejection nobody caught, while `owner`'s event ran. */
  function uncaught(owner: Incarnation | undefined, error: unknown): void {
    const process = owner === undefined ? undefined : owners.get(owner)
    if (process === undefined) {
      // The dead do not speak: what a killed life would have thrown never happened.
      if (owner === undefined || owner === nature) fail('scenario', messageOf(error), error)
      return
    }
    processEvents.threw(process, `uncaught error of ${process.name}`, error)
  }

  function prepare(): void {
    events.after(nature, 0, 'begin', () => {
      Promise.resolve()
        .then(() => scenario(worldOf(stage, faults.byHand)))
        .then(
          () => {
            phase = 'faults'
            for (const fault of options.plan) faults.plan(fault)
            events.after(nature, options.durationMs * 1_000, 'duration over', heal)
          },
          (error: unknown) => fail('scenario', messageOf(error), error),
        )
    })
  }

  function heal(): void {
    if (phase !== 'faults') return
    phase = 'healed'
    faults.healAll()
    log.note(events.nowUs(), 'world', 'healed', '')
    film?.mark('healed', undefined, 'all faults are healed')
    events.after(nature, options.livenessMs * 1_000, 'liveness over', () => noProgress('in time'))
  }

  function noProgress(how: string): void {
    if (phase === 'prepare') {
      fail('scenario', 'the scenario waits for something outside the world, for ever')
      return
    }
    const waiting = [...open].map((process) => process.name).join(', ')
    fail('no-progress', `after healing, these did not end ${how}: ${waiting}`)
  }

  /** The next final check, once all clients have ended. */
  function verifyNext(): void {
    const verification = stage.verifications[verified++]
    if (verification === undefined) {
      phase = 'over'
      stage.histories.judge((name, message, kind) => fail(name, message, undefined, kind))
      return
    }
    const machine = stage.machine(verification.machine)
    const role = { protected: true, mayThrow: false, awaited: true }
    stage.start(machine, verification.name, role, verification.verify)
  }

  function settle(): void {
    for (const [name, holds] of stage.invariants) {
      try {
        const verdict = holds()
        if (verdict !== true) fail(name, verdict)
      } catch (error) {
        fail(name, messageOf(error), error)
      }
    }
    if (phase === 'faults' && awaited > 0 && open.size === 0) heal()
    if (phase === 'healed' && open.size === 0) verifyNext()
    if (events.eventCount() > options.eventsMax) {
      fail('no-progress', `more than ${options.eventsMax} events: the run does not end`)
    }
  }

  let steps = 0
  function step(): boolean {
    settle()
    if (options.isGivenUp !== undefined && ++steps % stepsPerLook === 0 && options.isGivenUp()) {
      return false
    }
    if (failure !== undefined || phase === 'over') return false
    if (events.runNext()) return true
    noProgress('and nothing is left to happen')
    return false
  }

  prepare()
  await platform.drive(
    step,
    (error) => uncaught(events.current(), error),
    () => events.current()?.runtime,
  )
  for (const machine of machines.values()) machine.close()
  const finished = phase === 'over'
  const finish = { finished, events: events.eventCount(), faultsWanted: options.plan.length > 0 }
  return {
    failure: failure === undefined ? undefined : { ...failure, trace: log.lines() },
    events: events.eventCount(),
    virtualMs: events.nowUs() / 1_000,
    traceHash: log.hash(),
    reached: stage.reached,
    struck: book.strikes,
    optional,
    undecided: stage.histories.undecided(),
    recording: film?.recording(),
    notCounted: stage.histories.reasonNotToCount() ?? book.reasonNotToCount(finish),
  }
}

/** The parts that all others share. */
function coreOf(
  platform: Platform,
  { seed, rough, record }: RunOptions,
  uncaught: (owner: Incarnation, error: unknown) => void,
): Core {
  const key = seedKey(seed)
  const log = trace()
  const events = scheduler(log, uncaught)
  return {
    key,
    scheduler: events,
    nature: incarnation('world', mix(key, hashText('nature'))),
    trace: log,
    weather: weather(rough),
    progress: progress(),
    platform,
    recorder: record === true ? recorder(() => events.nowUs()) : undefined,
  }
}

function forgiven(mayThrow: boolean | 'misfortune', error: unknown): boolean {
  if (mayThrow !== 'misfortune') return mayThrow
  return isHoldfastError(error) && error.outcome !== 'invalid'
}

/** Of an error: its code, or its name. */
function kindOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return isHoldfastError(error) ? error.code : error.name
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
