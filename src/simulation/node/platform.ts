/**
 * What the simulator needs of Node: a SQLite in memory, and the certainty that after one event every
 * promise that can settle has settled before the next event begins.
 */
import { loadSqlite } from '../../runtime/node/sqlite-library.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Platform } from '../core.ts'
import { enterWorld } from './tripwire.ts'

/** A slice of events between two turns of the real event loop, in real milliseconds. */
const sliceMs = 25
const sliceEvents = 64

// Taken before any tripwire is set.
const { setImmediate: realImmediate } = globalThis
const realNow: () => number = performance.now.bind(performance)

export interface NodePlatformOptions {
  /** Uses documented means only, at a fraction of the speed. Default: only where nothing else works. */
  readonly byTurns?: boolean
}

export function nodePlatform(options: NodePlatformOptions = {}): Platform {
  const byTurns = options.byTurns ?? false
  // A machine without SQLite is not a misfortune of the world, but a run that cannot be.
  let missing: unknown
  return {
    elapsedMs: realNow,
    openDatabase() {
      try {
        return library().open(':memory:')
      } catch (error) {
        missing ??= error
        throw error
      }
    },
    drive: (step, unhandled, current = () => undefined) =>
      new Promise((resolve, reject) => {
        const turn = (): void => {
          try {
            const slice = !byTurns && drainsInPlace() ? sliceInPlace : sliceByTurns
            const more = slice(step, unhandled, current)
            if (missing !== undefined) reject(missing)
            else if (more) realImmediate(turn)
            else resolve()
          } catch (error) {
            reject(error)
          }
        }
        realImmediate(turn)
      }),
  }
}

let loaded: ReturnType<typeof loadSqlite> | undefined
function library(): ReturnType<typeof loadSqlite> {
  loaded ??= loadSqlite()
  return loaded
}

type Unhandled = (error: unknown) => void
type Current = () => Runtime | undefined

/** Many events per turn. Must be called from a macrotask: inside a microtask nothing would drain. */
function sliceInPlace(step: () => boolean, unhandled: Unhandled, current: Current): boolean {
  const untilMs = realNow() + sliceMs
  const leave = enterWorld(unhandled, current)
  try {
    for (let events = 0; ; events++) {
      if (!step()) return false
      try {
        tickCallback?.()
      } catch (error) {
        unhandled(error)
      }
      if (events % sliceEvents === 0 && realNow() > untilMs) return true
    }
  } finally {
    leave()
  }
}

/** One event per turn, by documented means only: `setImmediate` runs after all promises have settled. */
let leaveTurn: (() => void) | undefined
function sliceByTurns(step: () => boolean, unhandled: Unhandled, current: Current): boolean {
  leaveTurn?.()
  leaveTurn = undefined
  const leave = enterWorld(unhandled, current)
  let more = false
  try {
    more = step()
  } finally {
    if (more) leaveTurn = leave
    else leave()
  }
  return more
}

const tickCallback: (() => void) | undefined = (
  process as unknown as { readonly _tickCallback?: () => void }
)._tickCallback?.bind(process)

let inPlace: boolean | undefined

/**
 * Does the undocumented `process._tickCallback` still drain ticks and promises at once? Asked in a
 * macrotask, once. If not, worlds run by turns: the same seeds, the same results, half the speed.
 */
function drainsInPlace(): boolean {
  if (inPlace !== undefined) return inPlace
  inPlace = false
  if (tickCallback === undefined) return false
  let reached = 0
  process.nextTick(() => {
    Promise.resolve()
      .then(() => process.nextTick(() => reached++))
      .then(() => reached++)
  })
  Promise.resolve().then(() => reached++)
  tickCallback()
  inPlace = reached === 3
  return inPlace
}
