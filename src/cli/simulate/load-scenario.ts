/**
 * From a name or a path to something that can be run.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { InvalidArgumentError } from '../../errors.ts'
import type { SimulateOptions } from '../../simulation/world.ts'
import { type NamedScenario, scenarios } from '../../testing/scenarios/registry.ts'
import type { Scenario } from '../../testing/world.ts'

/** @throws {InvalidArgumentError} there is no such scenario, or the module exports none. */
export async function loadScenario(target: string): Promise<NamedScenario> {
  const known = Object.hasOwn(scenarios, target) ? scenarios[target] : undefined
  if (known !== undefined) return known
  const path = resolve(target)
  if (!existsSync(path)) {
    throw new InvalidArgumentError(
      `"${target}" is neither a file nor one of: ${Object.keys(scenarios).join(', ')}`,
    )
  }
  const module = (await import(pathToFileURL(path).href)) as {
    readonly scenario?: unknown
    readonly options?: SimulateOptions
  }
  if (typeof module.scenario !== 'function') {
    throw new InvalidArgumentError(`${target} exports no function named \`scenario\``)
  }
  const options = { faults: 'all', ...module.options } as const
  return { about: target, options, scenario: module.scenario as Scenario }
}
