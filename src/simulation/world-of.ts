/**
 * What a scenario sees of a run: the `World` of world.ts over the moving parts.
 */
import { ConfigurationError } from '../errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { History } from './history.ts'
import type { SimulatedMachine } from './machine.ts'
import type { SimulatedProcess } from './process.ts'
import type { Stage } from './run.ts'
import type { FaultControl, Machine, Process, ProcessOptions, World } from './world.ts'

const mainHistory = 'history'
const clientRole = { protected: true, mayThrow: false, awaited: true } as const

export function worldOf(stage: Stage, faults: FaultControl): World {
  const { core } = stage
  const views = new Map<string, Machine>()
  return {
    seed: stage.seed,
    nowMs: () => core.scheduler.nowUs() / 1_000,
    machine(name) {
      let view = views.get(name)
      if (view === undefined) {
        view = machineView(stage, stage.machine(name))
        views.set(name, view)
      }
      return view
    },
    client(name, main, options = {}) {
      if (stage.machines.has(name)) {
        throw new ConfigurationError(
          `client "${name}" has a machine of its own, and that name is taken; use machine.client`,
        )
      }
      const role = { ...clientRole, optional: options.optional ?? false }
      stage.start(stage.machine(name), 'client', role, main)
    },
    node(name, main, options = {}) {
      const role = {
        protected: false,
        mayThrow: 'misfortune',
        awaited: true,
        optional: options.optional ?? false,
      } as const
      const program = (runtime: Runtime): Promise<void> =>
        main({ ...runtime, history: stage.histories.history(mainHistory) })
      const process = stage.start(stage.machine(name), 'node', role, program)
      return processView(name, process, () => core.progress.struck())
    },
    history: <Input, Output>(name = mainHistory) =>
      stage.histories.history(name) as unknown as History<Input, Output>,
    check: (judge, options = {}) => stage.histories.check(judge, options.history ?? mainHistory),
    afterHealing(name, verify, options = {}) {
      const machine = options.machine ?? `verify: ${name}`
      stage.verifications.push({ name, machine, verify })
    },
    invariant: (name, holds) => void stage.invariants.set(name, holds),
    fail: (name, message) => stage.fail(name, message),
    reached: (label) => void stage.reached.add(label),
    committed: () => core.progress.committed(),
    faults,
  }
}

function machineView(stage: Stage, machine: SimulatedMachine): Machine {
  function requireFree(name: string): void {
    if (!machine.processes.has(name)) return
    throw new ConfigurationError(`process "${name}" exists on machine "${machine.name}"`)
  }
  return {
    name: machine.name,
    process(name, main, options: ProcessOptions = {}) {
      requireFree(name)
      const role = {
        protected: options.protected ?? false,
        mayThrow: options.mayThrow ?? false,
        awaited: false,
        optional: options.optional ?? false,
      }
      const struck = (): void => stage.core.progress.struck()
      return processView(name, stage.start(machine, name, role, main), struck)
    },
    client(name, main, options = {}) {
      requireFree(name)
      const role = { ...clientRole, optional: options.optional ?? false }
      stage.start(machine, name, role, main)
    },
    crash() {
      stage.core.progress.struck()
      machine.crash()
    },
    restart: () => machine.restart(),
  }
}

function processView(name: string, process: SimulatedProcess, struck: () => void): Process {
  return {
    name,
    get alive() {
      return process.alive()
    },
    kill() {
      struck()
      process.end('kill')
    },
    restart: () => process.start(),
    pause(durationMs) {
      struck()
      process.pause(durationMs)
    },
  }
}
