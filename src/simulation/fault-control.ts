/**
 * Faults, struck: by hand from a scenario, or from a plan. Whatever a fault does, its own end or the
 * healing undoes; a fault whose target does not exist, or is dead already, does nothing and is not
 * counted.
 */
import { drawsOf, hashText, mix } from './chance.ts'
import type { SimulatedMachine } from './machine.ts'
import type { SimulatedProcess } from './process.ts'
import type { Stage } from './run.ts'
import type { Fault, FaultControl, FaultKind } from './world.ts'

export interface Faults {
  readonly byHand: FaultControl
  /** Strikes the fault when its time has come. */
  plan(fault: Fault): void
  /** All is well: links whole, clocks right, machines up, processes alive and running. */
  healAll(): void
}

/** Who was struck, and how it ends; `undefined` if nothing was there to strike. */
type Blow = { readonly whom: string; readonly end: () => void } | undefined

export function faultControl(stage: Stage): Faults {
  const { scheduler, nature, trace, weather } = stage.core
  // Faults of one kind may overlap: the strongest counts.
  const levels = new Map<FaultKind, number[]>()

  function strongest(kind: FaultKind): number {
    return Math.max(0, ...(levels.get(kind) ?? []))
  }

  function applyLevels(): void {
    weather.datagramLoss = strongest('datagram-loss')
    weather.datagramCopies = weather.datagramLoss / 2
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

  function cutAll(fault: Fault): Blow {
    const links = chosenLinks(stage, fault)
    if (links.length === 0) return undefined
    for (const [source, target] of links) weather.cut(source, target)
    return {
      whom: links.map(([source, target]) => `${source}>${target}`).join(' '),
      end() {
        for (const [source, target] of links) weather.mend(source, target)
      },
    }
  }

  function strike(fault: Fault): Blow {
    const { kind, amount = 0 } = fault
    switch (kind) {
      case 'kill':
      case 'pause':
        return strikeProcess(fault, chosenProcess(stage, fault))
      case 'machine-crash':
        return crash(chosenMachine(stage, fault, mayCrash))
      case 'partition':
      case 'one-way-partition':
        return cutAll(fault)
      case 'stream-break':
        return breakStreams(stage, fault)
      case 'datagram-loss':
      case 'hint-loss':
      case 'slow-network':
        return raise(kind, amount)
      default:
        return strikeMachine(
          stage,
          fault,
          chosenMachine(stage, fault, () => true),
        )
    }
  }

  function due(fault: Fault): void {
    if (stage.healed) return
    const blow = strike(fault)
    if (blow === undefined) return
    stage.core.progress.struck(fault.kind)
    trace.note(scheduler.nowUs(), 'fault', fault.kind, `${fault.id} ${blow.whom}`)
    scheduler.after(nature, Math.ceil(fault.durationMs * 1_000), 'fault over', () => {
      if (!stage.healed) blow.end()
    })
  }

  function note(kind: string, text: string): void {
    stage.core.progress.struck()
    trace.note(scheduler.nowUs(), 'by hand', kind, text)
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

function strikeProcess({ kind, durationMs }: Fault, process: SimulatedProcess | undefined): Blow {
  if (process?.alive() !== true) return undefined
  if (kind === 'pause') {
    process.pause(durationMs)
    return { whom: process.name, end: () => {} }
  }
  process.end('kill')
  return { whom: process.name, end: () => process.start() }
}

function crash(machine: SimulatedMachine | undefined): Blow {
  if (machine?.isUp() !== true) return undefined
  machine.crash()
  return { whom: machine.name, end: () => machine.restart() }
}

function strikeMachine(
  { core }: Stage,
  { kind, amount = 0 }: Fault,
  machine: SimulatedMachine | undefined,
): Blow {
  if (machine === undefined) return undefined
  const whom = `${machine.name} ${amount}`
  if (kind === 'slow-disk') {
    core.weather.diskFactor.set(machine.name, amount)
    return { whom, end: () => core.weather.diskFactor.delete(machine.name) }
  }
  if (kind === 'wall-clock-step') {
    machine.clock.stepWall(amount)
    return { whom, end: () => machine.clock.stepWall(-amount) }
  }
  machine.clock.driftWall(amount)
  return { whom, end: () => machine.clock.driftWall(0) }
}

function breakStreams({ core, fabric }: Stage, fault: Fault): Blow {
  const draws = drawsOf(mix(core.key, hashText(fault.target)))
  const broken = fabric.streams.breakSome(() => draws.happens(fault.amount ?? 1))
  return broken === 0 ? undefined : { whom: `${broken} streams`, end: () => {} }
}

/**
 * `any:123` names whoever has the least hash under 123, whatever else there is: so a fault keeps its
 * target when others are taken from the plan. Any other target is a name.
 */
function choose(names: readonly string[], target: string): string | undefined {
  if (!target.startsWith('any:')) return names.includes(target) ? target : undefined
  const salt = Number(target.slice(4)) | 0
  const rank = (name: string): number => mix(salt, hashText(name))
  return [...names].sort((left, right) => rank(left) - rank(right))[0]
}

function chosenProcess({ machines }: Stage, fault: Fault): SimulatedProcess | undefined {
  const processes = [...machines.values()]
    .flatMap((machine) => [...machine.processes.values()])
    .filter((process) => !process.role.protected)
  const name = choose(
    processes.map((process) => process.name),
    fault.target,
  )
  return processes.find((process) => process.name === name)
}

function chosenMachine(
  { machines }: Stage,
  fault: Fault,
  may: (machine: SimulatedMachine) => boolean,
): SimulatedMachine | undefined {
  const names = [...machines.values()].filter(may).map((machine) => machine.name)
  return machines.get(choose(names, fault.target) ?? '')
}

/** A machine with a client or a protected process on it keeps its power. */
function mayCrash({ processes }: SimulatedMachine): boolean {
  const all = [...processes.values()]
  return all.length > 0 && all.every((process) => !process.role.protected)
}

/** The directions that a partition cuts. A target `a|b` names the two machines. */
function chosenLinks({ machines }: Stage, fault: Fault): readonly (readonly [string, string])[] {
  const names = [...machines.keys()]
  const [named, other] = fault.target.split('|')
  const source = choose(names, other === undefined ? fault.target : (named ?? ''))
  const rest = names.filter((name) => name !== source)
  const target = other ?? choose(rest, fault.target)
  if (source === undefined || target === undefined) return []
  const targets = fault.amount === 1 && other === undefined ? rest : [target]
  return targets.flatMap((name): (readonly [string, string])[] =>
    fault.kind === 'partition'
      ? [
          [source, name],
          [name, source],
        ]
      : [[source, name]],
  )
}
