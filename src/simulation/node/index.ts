/**
 * The simulator on Node: real SQLite in memory, and a drain of promises between two events.
 */
import type { Runtime } from '../../runtime/runtime.ts'
import { inVirtualTimeOn } from '../in-virtual-time.ts'
import { type Scenario, simulateOn } from '../simulate.ts'
import type { SimulateOptions, SimulationReport, World } from '../world.ts'
import { nodePlatform } from './platform.ts'

/**
 * Runs the scenario in a fresh world per seed. It returns a report whatever happens in the worlds.
 * @throws {InvalidArgumentError} an option is out of range.
 */
export function simulate(options: SimulateOptions, scenario: Scenario): Promise<SimulationReport> {
  return simulateOn(nodePlatform(), options, scenario)
}

/**
 * A unit test in virtual time: one machine, one process, no faults. Returns what `body` returns.
 * @throws whatever `body` throws.
 */
export function inVirtualTime<Value>(
  body: (world: World, runtime: Runtime) => Promise<Value>,
  options: SimulateOptions = {},
): Promise<Value> {
  return inVirtualTimeOn(simulate, body, options)
}
