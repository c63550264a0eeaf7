/**
 * Whom a fault strikes. A random target is a rank, not a name, so that a fault keeps its target when
 * others are taken from the plan.
 */
import { hashText, mix } from './chance.ts'
import type { SimulatedMachine } from './machine.ts'
import type { SimulatedProcess } from './process.ts'
import type { Stage } from './run.ts'
import type { Fault } from './world.ts'

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

export function chosenProcess({ machines }: Stage, fault: Fault): SimulatedProcess | undefined {
  const processes = [...machines.values()]
    .flatMap((machine) => [...machine.processes.values()])
    .filter((process) => !process.role.protected)
  const name = choose(
    processes.map((process) => process.name),
    fault.target,
  )
  return processes.find((process) => process.name === name)
}

export function chosenMachine(
  { machines }: Stage,
  fault: Fault,
  may: (machine: SimulatedMachine) => boolean,
): SimulatedMachine | undefined {
  const names = [...machines.values()].filter(may).map((machine) => machine.name)
  return machines.get(choose(names, fault.target) ?? '')
}

/** A machine with a client or a protected process on it keeps its power. */
export function mayCrash({ processes }: SimulatedMachine): boolean {
  const all = [...processes.values()]
  return all.length > 0 && all.every((process) => !process.role.protected)
}

/** The directions that a partition cuts. A target `a|b` names the two machines. */
export function chosenLinks(
  { machines }: Stage,
  fault: Fault,
): readonly (readonly [string, string])[] {
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
