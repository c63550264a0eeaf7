/**
 * The simulator on Node: real SQLite in memory, and a drain of promises between two events.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Runtime } from '../../runtime/runtime.ts'
import { inVirtualTimeOn } from '../in-virtual-time.ts'
import { type Scenario, simulateOn } from '../simulate.ts'
import type { SimulateOptions, SimulationFailure, SimulationReport, World } from '../world.ts'
import { nodePlatform } from './platform.ts'

export { patched } from './patched.ts'

/**
 * Runs the scenario in a fresh world per seed. It returns a report whatever happens in the worlds.
 * @throws {InvalidArgumentError} an option is out of range.
 * @throws {ConfigurationError} the scenario opens SQL, and there is no SQLite to be had.
 */
export async function simulate(
  options: SimulateOptions,
  scenario: Scenario,
): Promise<SimulationReport> {
  const report = await simulateOn(nodePlatform(), options, scenario)
  const { timelineFolder } = options
  if (timelineFolder === undefined) return report
  const failures = await Promise.all(report.failures.map((one) => pictured(one, timelineFolder)))
  return { ...report, failures }
}

async function pictured(failure: SimulationFailure, folder: string): Promise<SimulationFailure> {
  if (failure.timeline === undefined) return failure
  const timelineFile = join(folder, `${failure.seed}.html`)
  await writeFile(timelineFile, (await failure.timeline()).html())
  return { ...failure, timelineFile }
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
