/**
 * A process is a program and its present life, if it has one. Its end is sudden or in good order; a
 * start is always a new incarnation with nothing but what is on disk.
 */
import type { Runtime } from '../runtime/runtime.ts'
import { hashText, mix } from './chance.ts'
import type { Core } from './core.ts'
import { type Death, type Incarnation, incarnation } from './incarnation.ts'
import type { SimulatedMachine } from './machine.ts'
import { processRuntime } from './process-runtime.ts'

export interface SimulatedProcess {
  /** `machine/process` */
  readonly name: string
  readonly machine: SimulatedMachine
  readonly role: ProcessRole
  alive(): boolean
  /** Did its program return? Then it stays ended. */
  finished(): boolean
  start(): void
  /** It never starts: the scenario can do without it. */
  leaveOut(): void
  end(death: Death): void
  pause(durationMs: number): void
  resume(): void
}

export interface ProcessRole {
  /** Left alone by random faults. */
  readonly protected: boolean
  /** Started again when it throws: never, always, or after an error of Holdfast that is not its fault. */
  readonly mayThrow: boolean | 'misfortune'
  /** The run waits for it. */
  readonly awaited: boolean
  /** The scenario makes sense without it: shrinking may leave it out. */
  readonly optional?: boolean
}

export interface ProcessEvents {
  /** Its program returned. */
  ended(process: SimulatedProcess): void
  /** Its program, a task or a callback of it threw. */
  threw(process: SimulatedProcess, what: string, error: unknown): void
}

export function simulatedProcess(
  core: Core,
  machine: SimulatedMachine,
  process: string,
  role: ProcessRole,
  main: (runtime: Runtime) => Promise<void>,
  events: ProcessEvents,
  owners: Map<Incarnation, SimulatedProcess>,
): SimulatedProcess {
  const name = `${machine.name}/${process}`
  const key = mix(core.key, hashText(name))
  let lives = 0
  let finished = false
  let life: Incarnation | undefined

  const self: SimulatedProcess = {
    name,
    machine,
    role,
    alive: () => life?.alive === true,
    finished: () => finished,
    leaveOut() {
      finished = true
    },
    start() {
      if (life?.alive || finished) return
      if (!machine.isUp()) {
        machine.interrupted.add(self)
        return
      }
      const own = incarnation(name, mix(key, ++lives))
      life = own
      owners.set(own, self)
      const failed = (what: string, error: unknown): void => {
        if (own.alive) events.threw(self, what, error)
      }
      const returned = (): void => {
        if (!own.alive) return
        finished = true
        self.end('exit')
        events.ended(self)
      }
      core.scheduler.after(own, 0, 'start', () => {
        core.recorder?.mark('start', name, lives === 1 ? '' : `life ${lives}`)
        const runtime = processRuntime(core, machine, process, own, (task, error) =>
          failed(`task ${task} of ${name}`, error),
        )
        own.runtime = runtime
        Promise.resolve()
          .then(() => main(runtime))
          .then(returned, (error: unknown) => failed(name, error))
      })
    },
    end(death) {
      if (life === undefined) return
      if (life.alive) core.recorder?.mark(death, name, '')
      core.scheduler.end(life, death)
      owners.delete(life)
    },
    pause(durationMs) {
      if (!life?.alive) return
      const untilUs = core.scheduler.nowUs() + Math.ceil(durationMs * 1_000)
      core.recorder?.mark('pause', name, `${durationMs} ms`, untilUs)
      life.pausedUntilUs = Math.max(life.pausedUntilUs, untilUs)
    },
    resume() {
      if (life !== undefined) core.scheduler.resume(life)
    },
  }
  return self
}
