/**
 * What the console shows, as data: one view, sent whole, some times a second.
 */
export interface ConsoleView {
  /** The name of the whole. */
  readonly name: string
  /** Wall time at which the view was taken. */
  readonly nowMs: number
  readonly processes: readonly ProcessView[]
  /** What each living process publishes, by instance, then by section. */
  readonly snapshots: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface ProcessView {
  readonly instance: string
  readonly service: string
  readonly pid: number | null
  readonly state: string
  readonly restarts: number
  readonly startedAtMs: number
  readonly lastExit: string | undefined
  /** Was it told to pause? */
  readonly paused: boolean
}
