/**
 * The world as users see it: the simulator's, and a store to stand in it.
 */

import type { Runtime } from '../runtime/runtime.ts'
import { inVirtualTimeOn } from '../simulation/in-virtual-time.ts'
import { simulate as simulateWorld } from '../simulation/node/index.ts'
import type {
  World as SimulatedWorld,
  SimulateOptions,
  SimulationReport,
} from '../simulation/world.ts'
import {
  type EmbeddedEngine,
  type EmbeddedEngineOptions,
  embeddedEngine,
} from './engines/embedded-engine.ts'

export interface World extends SimulatedWorld {
  /** The embedded store on a machine of its own, behind the network: `embeddedEngine(world)`. */
  embedded(options?: EmbeddedEngineOptions): EmbeddedEngine
}

export type Scenario = (world: World) => void | Promise<void>

/**
 * Runs the scenario in a fresh world per seed. It returns a report whatever happens in the worlds.
 * @throws {InvalidArgumentError} an option is out of range.
 * @throws {ConfigurationError} the scenario opens SQL, and there is no SQLite to be had.
 */
export function simulate(options: SimulateOptions, scenario: Scenario): Promise<SimulationReport> {
  return simulateWorld(options, (world) => scenario(furnished(world)))
}

/**
 * A unit test in virtual time: one machine, one process, no faults. Returns what `body` returns.
 * @throws whatever `body` throws.
 */
export function inVirtualTime<Value>(
  body: (world: World, runtime: Runtime) => Promise<Value>,
  options: SimulateOptions = {},
): Promise<Value> {
  return inVirtualTimeOn(
    simulateWorld,
    (world, runtime) => body(furnished(world), runtime),
    options,
  )
}

function furnished(world: SimulatedWorld): World {
  return { ...world, embedded: (options) => embeddedEngine(world, options) }
}
