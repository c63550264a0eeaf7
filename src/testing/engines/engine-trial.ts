/**
 * The bench on which the models are tried: every client is a link of its own from one machine, and a
 * mortal one runs on a runtime that can die.
 */
import type { ConformanceBench, ConformanceCase } from '../../ports/conformance.ts'
import type { DriverStores } from '../../ports/driver.ts'
import { mortalRuntime } from '../../ports/mortal-runtime.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import { inVirtualTime } from '../index.ts'
import type { Engine } from './engine.ts'

export interface EngineTrial<Stores extends DriverStores, Store> {
  engine(world: World): Engine<Stores>
  pick(stores: Stores): Store
  /** Plants a bug: every client gets the store through this. */
  readonly broken?: (store: Store) => Store
}

/** Runs one case in a world of its own. @returns why it does not apply to this model, if it does not. */
export function runEngineCase<Stores extends DriverStores, Store>(
  testCase: ConformanceCase<Store>,
  { engine, pick, broken = (store) => store }: EngineTrial<Stores, Store>,
): Promise<string | undefined> {
  return inVirtualTime(async (world, runtime) => {
    const served = engine(world)
    // Its servers need a moment to start.
    await sleep(runtime.timers, 2_000)
    const connected: Stores[] = []
    async function open(on: Runtime): Promise<Store> {
      const stores = served.connect(on)
      if (on === runtime) connected.push(stores)
      return broken(pick(stores))
    }
    let names = 0
    const bench: ConformanceBench<Store> = {
      store: await open(runtime),
      runtime,
      another: () => open(runtime),
      async mortal() {
        const mortal = mortalRuntime(runtime)
        return { store: await open(mortal.runtime), die: mortal.die }
      },
      passMs: (durationMs) => sleep(runtime.timers, durationMs),
      unique(label) {
        names += 1
        return `${label}-${names}`
      },
    }
    const skipped = testCase.skip?.(bench.store)
    if (skipped !== undefined) return skipped
    await testCase.run(bench)
    await Promise.all(connected.map((stores) => stores.close()))
    return undefined
  })
}

/** The title of a case in a test run. */
export function titleOf({ shows, name }: Pick<ConformanceCase<unknown>, 'shows' | 'name'>): string {
  return shows.length === 0 ? name : `${shows.join(', ')}: ${name}`
}
