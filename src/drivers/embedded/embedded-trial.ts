/**
 * The bench on which the embedded stores are tried: the same cases in the simulator and on the real
 * runtime. Clients are further openings of one file; a mortal one runs on a runtime that can die.
 */
import type { ConformanceBench, ConformanceCase } from '../../ports/conformance.ts'
import { mortalRuntime } from '../../ports/mortal-runtime.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { type EmbeddedStores, embedded } from './embedded.ts'

export interface TrialOptions<Store> {
  readonly path: string
  /** Which of the stores is on trial. */
  pick(stores: EmbeddedStores): Store
  /** Plants a bug: every client gets the store through this. */
  readonly broken?: (store: Store) => Store
}

/**
 * Runs one case on a fresh namespace, and closes all that it opened.
 * @returns why it does not apply to this driver, if it does not.
 */
export async function runCase<Store>(
  runtime: Runtime,
  testCase: ConformanceCase<Store>,
  options: TrialOptions<Store>,
): Promise<string | undefined> {
  const opened: EmbeddedStores[] = []
  const namespace = runtime.random.id('trial').slice(0, 12)
  async function open(on: Runtime): Promise<Store> {
    const stores = await embedded(on, { path: options.path, namespace })
    if (on === runtime) opened.push(stores)
    const store = options.pick(stores)
    return options.broken?.(store) ?? store
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
  try {
    const skipped = testCase.skip?.(bench.store)
    if (skipped === undefined) await testCase.run(bench)
    return skipped
  } finally {
    await Promise.all(opened.map((stores) => stores.close()))
  }
}

/** The title of a case in a test run. */
export function titleOf({ shows, name }: Pick<ConformanceCase<unknown>, 'shows' | 'name'>): string {
  return shows.length === 0 ? name : `${shows.join(', ')}: ${name}`
}
