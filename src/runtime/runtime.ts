/**
 * Runtime is the one door to everything that is not deterministic: time, chance, network, disk, SQL
 * and background tasks. Production code gets the Node one; the simulator hands out the same
 * interfaces driven by a seed. Code that reaches the world by any other way cannot be put on trial,
 * so a check in CI refuses it.
 */
import type { Clock, Timers } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Network } from './network.ts'
import type { RandomSource } from './random.ts'
import type { SqlEngine } from './sql.ts'
import type { Tasks } from './tasks.ts'

export interface Runtime {
  /** Who runs here. Names are for people and logs; `incarnation` is what must be compared. */
  readonly identity: ProcessIdentity
  readonly clock: Clock
  readonly timers: Timers
  readonly random: RandomSource
  readonly network: Network
  readonly disk: Disk
  readonly sql: SqlEngine
  readonly tasks: Tasks
  readonly probe: Probe
}

export interface ProcessIdentity {
  /** The machine: processes of one machine share its disk and its monotonic clock. */
  readonly machine: string
  /** The process on that machine, stable over restarts: `order-1`. */
  readonly process: string
  /** Unique for every start of every process, never reused: 128 random bits in hex. */
  readonly incarnation: string
}

/** Hooks for the simulator. In production both do nothing and cost one call. */
export interface Probe {
  /**
   * Writes a line into the trace and the timeline. `data` must be JSON. From data with a whole `term` and a
   * `role` on, until the next such note, the timeline shows the process in the colour of that term.
   */
  note(kind: string, data?: unknown): void
  /**
   * Should something unusual but legal happen here (a short batch, an early timeout)? Always `false`
   * in production; in the simulator true for some seeds. `label` names the place.
   */
  chance(label: string): boolean
}
