/**
 * While events of a world run, the real clock, chance and timers must not be reached by any other way
 * than Runtime: whoever tries is told so at once, with a stack that names him. Errors that nobody
 * caught go to the world instead of ending the process.
 */
import type { Runtime } from '../../runtime/runtime.ts'
import { RuntimeBypassedError } from '../bypassed.ts'
import { goInside, isPatched, ownGlobal } from './patched.ts'

type Callable = (...parameters: unknown[]) => unknown

/** What is watched, and what to use instead. */
const watched: readonly (readonly [object, string, string, string])[] = [
  [Date, 'now', 'Date.now()', 'runtime.clock.wallMs()'],
  [Math, 'random', 'Math.random()', 'runtime.random'],
  [performance, 'now', 'performance.now()', 'runtime.clock.monotonicMs()'],
  [globalThis, 'setTimeout', 'setTimeout()', 'runtime.timers.schedule()'],
  [globalThis, 'setInterval', 'setInterval()', 'runtime.timers.schedule()'],
  [globalThis, 'setImmediate', 'setImmediate()', 'runtime.timers.schedule()'],
  [globalThis, 'fetch', 'fetch()', 'runtime.network'],
  [AbortSignal, 'timeout', 'AbortSignal.timeout()', 'runtime.timers.schedule()'],
  [globalThis.crypto, 'randomUUID', 'crypto.randomUUID()', 'runtime.random.id()'],
  [globalThis.crypto, 'getRandomValues', 'crypto.getRandomValues()', 'runtime.random.bytes()'],
]

/** Node itself, the test runner and the SQLite library may: they do not decide what a world does. */
const allowedCallers =
  /node:internal|node_modules\/(?:@?vitest|chai|libsql|@libsql|better-sqlite3|@neon-rs)\//

/**
 * Enters the world. Programs that asked for it (`patched`) get the world's own clock and chance from the
 * globals; all others trip. @returns leaves it again, with everything as it was.
 */
export function enterWorld(
  unhandled: (error: unknown) => void,
  current: () => Runtime | undefined,
): () => void {
  const dropWires = setWires(unhandled, current)
  const goOutside = goInside(current)
  const giveBack = takeErrors(unhandled)
  return () => {
    goOutside()
    dropWires()
    giveBack()
  }
}

function takeErrors(unhandled: (error: unknown) => void): () => void {
  const names = ['unhandledRejection', 'uncaughtException'] as const
  const before = names.map((name) => process.rawListeners(name))
  for (const name of names) {
    process.removeAllListeners(name)
    process.on(name, unhandled)
  }
  return () => {
    names.forEach((name, index) => {
      process.removeListener(name, unhandled)
      for (const listener of before[index] ?? []) process.on(name, listener as () => void)
    })
  }
}

function setWires(
  unhandled: (error: unknown) => void,
  current: () => Runtime | undefined,
): () => void {
  const trip = (name: string, instead: string): void => {
    const error = new RuntimeBypassedError(
      `${name} was called in a simulated world: use ${instead}`,
    )
    // The first frame outside this file is the caller.
    const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
    const caller = frames.find((line) => !line.includes('tripwire')) ?? ''
    if (allowedCallers.test(caller)) return
    unhandled(error) // somebody may catch what is thrown, and a swallowed leak is still a leak
    throw error
  }
  const restore = watched.map(([owner, name, label, instead]) =>
    replace(owner, name, (parameters) => {
      const own = ownGlobal(label)
      if (own !== undefined) return { own: own(...parameters) }
      trip(label, instead)
      return undefined
    }),
  )
  const RealDate = globalThis.Date
  globalThis.Date = watchedDate(RealDate, trip, current)
  return () => {
    globalThis.Date = RealDate
    for (const undo of restore) undo()
  }
}

/** What the own world answers, or `undefined` where the real one may. */
type Guard = (parameters: readonly unknown[]) => { readonly own: unknown } | undefined

function replace(owner: object, name: string, guard: Guard): () => void {
  const before = Object.getOwnPropertyDescriptor(owner, name)
  const real = Reflect.get(owner, name) as Callable
  const wire: Callable = (...parameters) => {
    const answer = guard(parameters)
    return answer === undefined ? Reflect.apply(real, owner, parameters) : answer.own
  }
  Object.defineProperty(owner, name, { value: wire, configurable: true, writable: true })
  return () => {
    if (before === undefined) Reflect.deleteProperty(owner, name)
    else Object.defineProperty(owner, name, before)
  }
}

/** Dates made from a number or text are fine; the present is not. */
function watchedDate(
  real: DateConstructor,
  trip: (name: string, instead: string) => void,
  current: () => Runtime | undefined,
): DateConstructor {
  const ownWallMs = (): number | undefined => {
    const runtime = current()
    return runtime !== undefined && isPatched(runtime) ? runtime.clock.wallMs() : undefined
  }
  return new Proxy(real, {
    construct(target, parameters, newTarget) {
      const wallMs = parameters.length === 0 ? ownWallMs() : undefined
      if (wallMs !== undefined) return Reflect.construct(target, [wallMs], newTarget)
      if (parameters.length === 0) trip('new Date()', 'runtime.clock.wallMs()')
      return Reflect.construct(target, parameters, newTarget)
    },
    apply(target, self, parameters) {
      const wallMs = ownWallMs()
      if (wallMs !== undefined) return new real(wallMs).toString()
      trip('Date()', 'runtime.clock.wallMs()')
      return Reflect.apply(target, self, parameters)
    },
  })
}
