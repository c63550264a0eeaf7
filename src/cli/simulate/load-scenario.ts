/**
 * From a name or a path to something that can be run.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ConfigurationError, InvalidArgumentError } from '../../errors.ts'
import type { SimulateOptions } from '../../simulation/world.ts'
import { type NamedScenario, scenarios } from '../../testing/scenarios/registry.ts'
import type { Scenario } from '../../testing/world.ts'

/**
 * Whole systems that come with the package, built: users of it as anybody is, so this knows only where they
 * are.
 */
const shipped: Readonly<Record<string, { readonly about: string; readonly module: URL }>> = {
  shop: {
    about: 'the example shop: every order ends as its customer expects, exactly once',
    module: new URL('../../examples/shop/scenario.js', import.meta.url),
  },
}

/** Names and what each is about, sorted. */
export function knownScenarios(): readonly (readonly [string, string])[] {
  const all = [...Object.entries(scenarios), ...Object.entries(shipped)]
  return all
    .map(([name, { about }]) => [name, about] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1))
}

/** The file behind a target that is no name. */
export function scenarioFile(target: string): string | undefined {
  return Object.hasOwn(scenarios, target) || Object.hasOwn(shipped, target)
    ? undefined
    : resolve(target)
}

/** @throws {InvalidArgumentError} there is no such scenario, or the module exports none. */
export async function loadScenario(target: string): Promise<NamedScenario> {
  const known = Object.hasOwn(scenarios, target) ? scenarios[target] : undefined
  if (known !== undefined) return known
  const system = Object.hasOwn(shipped, target) ? shipped[target] : undefined
  if (system !== undefined) {
    if (!existsSync(system.module)) throw new ConfigurationError(`"${target}" is not built`)
    return scenarioIn(target, system.about, await import(system.module.href))
  }
  const path = resolve(target)
  if (!existsSync(path)) {
    const names = knownScenarios().map(([name]) => name)
    throw new InvalidArgumentError(`"${target}" is neither a file nor one of: ${names.join(', ')}`)
  }
  return scenarioIn(target, target, await import(pathToFileURL(path).href))
}

function scenarioIn(target: string, about: string, module: unknown): NamedScenario {
  const { scenario, options } = module as {
    readonly scenario?: unknown
    readonly options?: SimulateOptions
  }
  if (typeof scenario !== 'function') {
    throw new InvalidArgumentError(`${target} exports no function named \`scenario\``)
  }
  return { about, options: { faults: 'all', ...options }, scenario: scenario as Scenario }
}
