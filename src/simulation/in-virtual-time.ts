/**
 * The smallest world, for plain unit tests: one machine, one process, no faults, and an hour that
 * passes in a blink.
 */
import type { Runtime } from '../runtime/runtime.ts'
import type { Scenario } from './simulate.ts'
import type { SimulateOptions, SimulationReport, World } from './world.ts'

/** Ten years: a test that waits longer than that waits for ever. */
const durationMs = 10 * 366 * 86_400_000
const eventsMax = 2_000_000

/**
 * Runs `body` as a process on machine `machine` and returns what it returns.
 * @throws whatever `body` throws, or any process of the world; an error that says so if `body` can
 * never end.
 */
export async function inVirtualTimeOn<Value>(
  run: (options: SimulateOptions, scenario: Scenario) => Promise<SimulationReport>,
  body: (world: World, runtime: Runtime) => Promise<Value>,
  options: SimulateOptions = {},
): Promise<Value> {
  let value: { readonly returned: Value } | undefined
  const report = await run(
    { durationMs, eventsMax, twiceEvery: 1_000_000, ...options },
    (world) => {
      world.machine('machine').client('main', async (runtime) => {
        value = { returned: await body(world, runtime) }
      })
    },
  )
  const [failure] = report.failures
  if (failure !== undefined) {
    const { error, name, message, trace } = failure
    throw error ?? new Error(`${name}: ${message}\n${trace.slice(-30).join('\n')}`)
  }
  if (value === undefined) throw new Error('the body never ended')
  return value.returned
}
