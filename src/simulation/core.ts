/**
 * What every part of a world shares: its time, its trace, the weather that faults make, and the few
 * things that only the surrounding platform can give.
 */
import type { Runtime } from '../runtime/runtime.ts'
import type { SyncDatabase } from '../runtime/sqlite.ts'
import type { Incarnation } from './incarnation.ts'
import type { Progress } from './progress.ts'
import type { Recorder } from './recorder.ts'
import type { Scheduler } from './scheduler.ts'
import type { Trace } from './trace.ts'
import type { Weather } from './weather.ts'

export interface Core {
  /** Key of all random streams of this world. */
  readonly key: number
  readonly scheduler: Scheduler
  /** Owner of what belongs to no process: messages on the wire, faults. It never dies or pauses. */
  readonly nature: Incarnation
  readonly trace: Trace
  readonly weather: Weather
  readonly progress: Progress
  readonly platform: Platform
  /** There when somebody wants a picture. */
  readonly recorder: Recorder | undefined
}

/** What the simulator needs from outside, so that it runs on Node and in a browser alike. */
export interface Platform {
  /**
   * Calls `step` until it answers `false`, and lets all promises of one step settle before the next.
   * An error that nobody caught goes to `unhandled` while the step that caused it is current.
   */
  drive(
    step: () => boolean,
    unhandled: (error: unknown) => void,
    /** Whose event runs. */
    current?: () => Runtime | undefined,
  ): Promise<void>
  /** A new, empty SQLite database in memory. */
  openDatabase(): SyncDatabase
  /** Real milliseconds since some instant, for the limits of shrinking. Absent: only runs are counted. */
  elapsedMs?(): number
}
