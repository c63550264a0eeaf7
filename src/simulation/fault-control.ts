/**
 * Faults, struck: by hand from a scenario, or from a plan. Whatever a fault does, its own end or the
 * healing undoes; a fault whose target does not exist, or is dead already, does nothing and is not
 * counted.
 */
import { type Blow, blows } from './fault-blows.ts'
import type { Stage } from './run.ts'
import type { Fault, FaultControl, FaultKind } from './world.ts'

export interface Faults {
  readonly byHand: FaultControl
  /** Strikes the fault when its time has come. */
  plan(fault: Fault): void
  /** All is well: links whole, clocks right, machines up, processes alive and running. */
  healAll(): void
}

export function faultControl(stage: Stage): Faults {
  const { scheduler, nature, trace, weather, recorder } = stage.core
  // Faults of one kind may overlap: the strongest counts.
  const levels = new Map<FaultKind, number[]>()

  function strongest(kind: FaultKind): number {
    return Math.max(0, ...(levels.get(kind) ?? []))
  }

  function applyLevels(): void {
    weather.datagramLoss = strongest('datagram-loss')
    weather.datagramDisorder = strongest('datagram-disorder')
    weather.datagramCopies = Math.max(weather.datagramLoss, weather.datagramDisorder) / 2
    weather.hintLoss = strongest('hint-loss')
    weather.networkDelayUs = strongest('slow-network') * 1_000
  }

  function raise(kind: FaultKind, amount: number): Blow {
    levels.set(kind, [...(levels.get(kind) ?? []), amount])
    applyLevels()
    return {
      whom: `${amount}`,
      end() {
        const left = [...(levels.get(kind) ?? [])]
        left.splice(left.indexOf(amount), 1)
        levels.set(kind, left)
        applyLevels()
      },
    }
  }

  function strike(fault: Fault): Blow {
    const blow = blows[fault.kind]
    return blow === undefined ? raise(fault.kind, fault.amount ?? 0) : blow(stage, fault)
  }

  function due(fault: Fault): void {
    if (stage.healed) return
    const blow = strike(fault)
    if (blow === undefined) return
    stage.core.progress.struck(fault.kind)
    trace.note(scheduler.nowUs(), 'fault', fault.kind, `${fault.id} ${blow.whom}`)
    const band = recorder?.band(fault.kind, `${fault.id} ${blow.whom}`)
    scheduler.after(nature, Math.ceil(fault.durationMs * 1_000), 'fault over', () => {
      if (stage.healed) return
      if (band !== undefined) recorder?.end(band)
      blow.end()
    })
  }

  function note(kind: string, text: string): void {
    stage.core.progress.struck()
    trace.note(scheduler.nowUs(), 'by hand', kind, text)
    recorder?.mark('note', undefined, `by hand: ${kind} ${text}`)
  }

  return {
    byHand: {
      partition(source, target, options = {}) {
        note('partition', `${source}${options.oneWay === true ? '>' : '|'}${target}`)
        weather.cut(source, target)
        if (options.oneWay !== true) weather.cut(target, source)
      },
      heal() {
        trace.note(scheduler.nowUs(), 'by hand', 'heal', '')
        levels.clear()
        weather.clear()
      },
      loss(share) {
        note('loss', `${share}`)
        weather.datagramLoss = share
        weather.hintLoss = share
      },
      stepWallClock(machine, byMs) {
        note('step of the wall clock', `${machine} ${byMs}`)
        stage.machine(machine).clock.stepWall(byMs)
      },
    },
    plan(fault) {
      scheduler.after(nature, Math.ceil(fault.atMs * 1_000), 'fault due', () => due(fault))
    },
    healAll() {
      levels.clear()
      weather.clear()
      for (const machine of stage.machines.values()) {
        machine.clock.correct()
        machine.restart()
        for (const process of machine.processes.values()) {
          process.resume()
          process.start()
        }
      }
    },
  }
}
