/**
 * Faults, struck: by hand from a scenario, or from a plan. Whatever a fault does, healing undoes.
 */
import type { Stage } from './run.ts'
import type { Fault, FaultControl } from './world.ts'

export interface Faults {
  readonly byHand: FaultControl
  /** Strikes the fault when its time has come. */
  plan(fault: Fault): void
  /** All is well: links whole, clocks right, machines up, processes alive and running. */
  healAll(): void
}

export function faultControl(stage: Stage): Faults {
  const { weather } = stage.core
  return {
    byHand: {
      partition(source, target, options = {}) {
        weather.cut(source, target)
        if (options.oneWay !== true) weather.cut(target, source)
      },
      heal: () => weather.clear(),
      loss(share) {
        weather.datagramLoss = share
        weather.hintLoss = share
      },
      stepWallClock: (machine, byMs) => stage.machine(machine).clock.stepWall(byMs),
    },
    plan() {},
    healAll() {
      weather.clear()
      for (const machine of stage.machines.values()) {
        machine.clock.correctWall()
        machine.restart()
        for (const process of machine.processes.values()) {
          process.resume()
          process.start()
        }
      }
    },
  }
}
