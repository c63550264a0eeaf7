/**
 * The Runtime that a simulated process is given. Each part belongs to one incarnation: once that is
 * dead, calls do nothing and their promises never settle.
 */
import type { Timers } from '../runtime/clock.ts'
import type { RandomSource } from '../runtime/random.ts'
import type { Probe, Runtime } from '../runtime/runtime.ts'
import type { Tasks } from '../runtime/tasks.ts'
import { type Draws, drawId, drawsOf, hashText, mix } from './chance.ts'
import type { Core } from './core.ts'
import type { Incarnation } from './incarnation.ts'
import type { SimulatedMachine } from './machine.ts'
import type { MachineClock } from './machine-clock.ts'
import { streamOf } from './weather.ts'

const century = 100 * 366 * 86_400_000

export function processRuntime(
  core: Core,
  machine: SimulatedMachine,
  process: string,
  owner: Incarnation,
  taskFailed: (name: string, error: unknown) => void,
): Runtime {
  return {
    identity: {
      machine: machine.name,
      process,
      incarnation: drawId(drawsOf(mix(owner.key, 1))),
    },
    clock: machine.clock.clock,
    timers: timersOf(core, machine.clock, owner),
    random: randomOf(owner),
    network: machine.network(owner),
    disk: machine.disk(owner),
    sql: machine.sql(owner),
    tasks: tasksOf(taskFailed),
    probe: probeOf(core, owner),
  }
}

function timersOf(core: Core, clock: MachineClock, owner: Incarnation): Timers {
  const late = core.weather.rough ? streamOf(owner.key, 'timers') : undefined
  return {
    schedule(delayMs, callback) {
      const delay = Number.isNaN(delayMs) ? 0 : Math.min(Math.max(delayMs, 0), century)
      // A loaded event loop fires late: mostly by little, sometimes by a few milliseconds.
      const word = late === undefined ? 0 : late.word()
      const lateUs = (word & 15) === 15 ? (word >>> 8) % 4_000 : (word >>> 8) % 200
      const countedUs = Math.ceil(delay * 1_000)
      if (late === undefined) {
        const event = core.scheduler.after(owner, countedUs, 'timer', callback)
        return { cancel: () => core.scheduler.cancel(event) }
      }
      const dueUs = clock.monotonicUs() + countedUs
      const { bootId } = clock.clock
      // The clock may have slowed down or stood still since: then it is not yet time.
      const due = (): void => {
        const leftUs = clock.clock.bootId === bootId ? dueUs - clock.monotonicUs() : 0
        if (leftUs < 1) callback()
        else event = core.scheduler.after(owner, clock.trueUs(leftUs), 'timer', due)
      }
      let event = core.scheduler.after(owner, clock.trueUs(countedUs) + lateUs, 'timer', due)
      return { cancel: () => core.scheduler.cancel(event) }
    },
  }
}

function randomOf(owner: Incarnation): RandomSource {
  const streams = new Map<string, Draws>()
  function stream(label: string): Draws {
    let draws = streams.get(label)
    if (draws === undefined) {
      draws = drawsOf(mix(owner.key, hashText(label)))
      streams.set(label, draws)
    }
    return draws
  }
  return {
    fraction: (label) => stream(label).fraction(),
    bytes(label, length) {
      const draws = stream(label)
      const bytes = new Uint8Array(length)
      for (let index = 0; index < length; index++) bytes[index] = draws.word() & 255
      return bytes
    },
    id: (label) => drawId(stream(label)),
  }
}

function tasksOf(failed: (name: string, error: unknown) => void): Tasks {
  return {
    spawn(name, work) {
      // Started in a microtask, so that a synchronous throw is a failure of the task alone.
      Promise.resolve()
        .then(work)
        .catch((error: unknown) => failed(name, error))
    },
  }
}

/** A note must never be the reason why a run fails. */
const plain = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? String(value) : value

function probeOf(core: Core, owner: Incarnation): Probe {
  const sites = new Map<string, Draws | undefined>()
  return {
    note(kind, data) {
      if (!owner.alive) return
      const text = data === undefined ? '' : JSON.stringify(data, plain)
      core.trace.note(core.scheduler.nowUs(), owner.name, kind, text)
      if (core.recorder === undefined) return
      core.recorder.mark('note', owner.name, text === '' ? kind : `${kind} ${text}`)
      const { term, role } = (data ?? {}) as { readonly term?: unknown; readonly role?: unknown }
      if (typeof term === 'number' && typeof role === 'string') {
        core.recorder.role(owner.name, term, role)
      }
    },
    // Each place is awake in a quarter of all worlds, and then acts in a quarter of its passes.
    chance(label) {
      if (!core.weather.rough) return false
      if (!sites.has(label)) {
        const awake = streamOf(core.key, `awake: ${label}`).happens(0.25)
        sites.set(label, awake ? streamOf(owner.key, `chance: ${label}`) : undefined)
      }
      return sites.get(label)?.happens(0.25) ?? false
    },
  }
}
