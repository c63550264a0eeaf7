/**
 * What each kind of fault does to its target, and how it is undone. A blow is `undefined` where nothing
 * was there to strike, so that only faults that hit are counted.
 */
import { drawsOf, hashText, mix } from './chance.ts'
import { chosenLinks, chosenMachine, chosenProcess, mayCrash } from './fault-targets.ts'
import type { SimulatedMachine } from './machine.ts'
import type { Stage } from './run.ts'
import type { Fault, FaultKind } from './world.ts'

/** Who was struck, and how it ends; `undefined` if nothing was there to strike. */
export type Blow = { readonly whom: string; readonly end: () => void } | undefined

type Strike = (stage: Stage, fault: Fault) => Blow

const nothing = (): void => {}

/** Everything but the levels of the weather, which faults of one kind share. */
export const blows: Readonly<Partial<Record<FaultKind, Strike>>> = {
  kill(stage, fault) {
    const process = chosenProcess(stage, fault)
    if (process?.alive() !== true) return undefined
    process.end('kill')
    return { whom: process.name, end: () => process.start() }
  },
  pause(stage, fault) {
    const process = chosenProcess(stage, fault)
    if (process?.alive() !== true) return undefined
    process.pause(fault.durationMs)
    return { whom: process.name, end: nothing }
  },
  'machine-crash': powerCut(() => ({})),
  'torn-write': powerCut(() => ({ torn: true })),
  'machine-loss': powerCut((stage) => {
    // A majority must keep what it knows: nothing survives the loss of all copies.
    const all = [...stage.machines.values()].filter(mayCrash)
    const lost = all.filter((machine) => machine.hasLostDisk()).length
    return lost + 1 <= (all.length - 1) / 2 ? { lost: true } : undefined
  }),
  suspend(stage, fault) {
    const machine = chosenMachine(stage, fault, mayCrash)
    if (machine?.isUp() !== true) return undefined
    machine.clock.freeze()
    for (const process of machine.processes.values()) process.pause(fault.durationMs)
    return { whom: machine.name, end: () => machine.clock.thaw() }
  },
  partition: cutAll,
  'one-way-partition': cutAll,
  'stream-break': onStreams('breakSome'),
  'half-open': onStreams('silenceSome'),
  'wall-clock-step': onMachine(({ clock }, amount) => {
    clock.stepWall(amount)
    return () => clock.stepWall(-amount)
  }),
  'wall-clock-drift': onMachine(({ clock }, amount) => {
    clock.driftWall(amount)
    return () => clock.driftWall(0)
  }),
  'wall-clock-freeze': onMachine(({ clock }) => {
    clock.driftWall(-1_000_000)
    return () => clock.driftWall(0)
  }),
  'monotonic-drift': onMachine(({ clock }, amount) => {
    clock.driftMonotonic(amount)
    return () => clock.driftMonotonic(0)
  }),
  'slow-disk': onDisk('factor', 1),
  'disk-full': onDisk('fullShare', 0),
  'sync-failure': onDisk('syncFailureShare', 0),
  'bit-rot'(stage, fault) {
    const rotten = stage.rot(drawsOf(mix(stage.core.key, hashText(fault.target))))
    return rotten === undefined ? undefined : { whom: rotten, end: nothing }
  },
}

type CrashOptions = { readonly torn?: boolean; readonly lost?: boolean }

function powerCut(how: (stage: Stage) => CrashOptions | undefined): Strike {
  return (stage, fault) => {
    const machine = chosenMachine(stage, fault, mayCrash)
    const options = machine?.isUp() === true ? how(stage) : undefined
    if (machine === undefined || options === undefined) return undefined
    machine.crash(options)
    return { whom: machine.name, end: () => machine.restart() }
  }
}

function onMachine(change: (machine: SimulatedMachine, amount: number) => () => void): Strike {
  return (stage, fault) => {
    const machine = chosenMachine(stage, fault, () => true)
    if (machine === undefined) return undefined
    const { amount = 0 } = fault
    return { whom: `${machine.name} ${amount}`, end: change(machine, amount) }
  }
}

function onDisk(trouble: 'factor' | 'fullShare' | 'syncFailureShare', well: number): Strike {
  return (stage, fault) => {
    const machine = chosenMachine(stage, fault, () => true)
    if (machine === undefined) return undefined
    const disk = stage.core.weather.diskOf(machine.name)
    const { amount = 1 } = fault
    disk[trouble] = amount
    return {
      whom: `${machine.name} ${amount}`,
      end() {
        disk[trouble] = well
      },
    }
  }
}

function onStreams(how: 'breakSome' | 'silenceSome'): Strike {
  return ({ core, fabric }, fault) => {
    const draws = drawsOf(mix(core.key, hashText(fault.target)))
    const count = fabric.streams[how](() => draws.happens(fault.amount ?? 1))
    return count === 0 ? undefined : { whom: `${count} streams`, end: nothing }
  }
}

function cutAll(stage: Stage, fault: Fault): Blow {
  const { weather } = stage.core
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
