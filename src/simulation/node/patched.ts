/**
 * For programs that were not written for a `Runtime`: while their events run, the globals of time and
 * chance answer from the simulated machine they run on. Two processes of one world see two clocks, though
 * both say `Date.now()`.
 *
 * Covered: `Date`, timers (global, `node:timers`, `node:timers/promises`), `performance.now`,
 * `process.hrtime`, `Math.random`, random bytes and ids of `crypto` and `node:crypto`, `AbortSignal.timeout`.
 * `node:net`, `node:http` (`own-network.ts`), `node:dgram` (`own-datagrams.ts`) and `fetch` (`own-fetch.ts`) go
 * over the simulated network, `node:fs` (`own-file-routes.ts`) to the simulated disk, and `require` loads
 * modules anew for each life (`own-modules.ts`). Not covered: TLS, `node:dns`, threads and child processes.
 *
 * What a library takes from modules and globals when it is loaded, it keeps: call `patched` before that.
 */
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import process from 'node:process'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import type { Runtime } from '../../runtime/runtime.ts'
import { patchFiles } from './own-file-routes.ts'
import { type Callable, ownAnswers } from './own-globals.ts'
import { patchModuleCache } from './own-modules.ts'
import { patchNetwork } from './own-network.ts'

type Main = (runtime: Runtime) => Promise<void>

const patchedRuntimes = new WeakSet<Runtime>()
let inside: (() => Runtime | undefined) | undefined

/** The program of a process, with globals that belong to its machine. Pass it to `machine.process`. */
export function patched(main: Main): Main {
  patchModules()
  return (runtime) => {
    patchedRuntimes.add(runtime)
    return main(runtime)
  }
}

export function isPatched(runtime: Runtime): boolean {
  return patchedRuntimes.has(runtime)
}

/** From now on `current` says whose event runs. @returns ends that. */
export function goInside(current: () => Runtime | undefined): () => void {
  const before = inside
  inside = current
  return () => {
    inside = before
  }
}

/** What `label` means to the program whose event runs; `undefined` if it did not ask for that. */
export function ownGlobal(label: string): Callable | undefined {
  const runtime = inside?.()
  if (runtime === undefined || !patchedRuntimes.has(runtime)) return undefined
  return ownAnswers(runtime)[label]
}

let modulesPatched = false

/** Outside a world, and for programs that did not ask, the modules are as they were. */
function patchModules(): void {
  if (modulesPatched) return
  modulesPatched = true
  const places: readonly (readonly [object, string, string])[] = [
    [crypto, 'randomUUID', 'crypto.randomUUID()'],
    [crypto, 'randomBytes', 'crypto.randomBytes()'],
    [crypto, 'randomInt', 'crypto.randomInt()'],
    [crypto, 'randomFillSync', 'crypto.randomFillSync()'],
    [crypto, 'randomFill', 'crypto.randomFill()'],
    [crypto.webcrypto, 'getRandomValues', 'crypto.getRandomValues()'],
    [crypto, 'getRandomValues', 'crypto.getRandomValues()'],
    [timers, 'setTimeout', 'setTimeout()'],
    [timers, 'setInterval', 'setInterval()'],
    [timers, 'setImmediate', 'setImmediate()'],
    [timers, 'clearTimeout', 'clearTimeout()'],
    [timers, 'clearInterval', 'clearTimeout()'],
    [timers, 'clearImmediate', 'clearTimeout()'],
    // Also those that tripwires watch in a world: libraries that are loaded now keep what they find.
    [globalThis, 'setTimeout', 'setTimeout()'],
    [globalThis, 'setInterval', 'setInterval()'],
    [globalThis, 'setImmediate', 'setImmediate()'],
    [globalThis, 'fetch', 'fetch()'],
    [Date, 'now', 'Date.now()'],
    [Math, 'random', 'Math.random()'],
    [performance, 'now', 'performance.now()'],
    [globalThis, 'clearTimeout', 'clearTimeout()'],
    [globalThis, 'clearInterval', 'clearTimeout()'],
    [globalThis, 'clearImmediate', 'clearTimeout()'],
    [timersPromises, 'setTimeout', 'timersPromises.setTimeout()'],
    [timersPromises, 'setImmediate', 'timersPromises.setImmediate()'],
    [process.hrtime, 'bigint', 'process.hrtime.bigint()'],
  ]
  for (const [owner, name, label] of places) {
    const real = Reflect.get(owner, name) as Callable
    const routed = function (this: unknown, ...parameters: unknown[]): unknown {
      const own = ownGlobal(label)
      return own === undefined ? Reflect.apply(real, this, parameters) : own(...parameters)
    }
    // Keeps what hangs on the function, such as the symbol by which it is made a promise.
    Object.defineProperties(routed, Object.getOwnPropertyDescriptors(real))
    Reflect.set(owner, name, routed)
  }
  const current = (): Runtime | undefined => {
    const runtime = inside?.()
    return runtime !== undefined && patchedRuntimes.has(runtime) ? runtime : undefined
  }
  patchNetwork(current)
  patchModuleCache(current)
  patchFiles(current)
  syncBuiltinESMExports()
}
