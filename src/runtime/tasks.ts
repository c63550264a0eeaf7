/**
 * Background work with an owner. Nothing in Holdfast floats a promise: whatever runs on its own is
 * spawned here under a name, so that a failure reaches somebody and the simulator knows whose it is.
 */
export interface Tasks {
  /**
   * Runs `work` in the background. If it rejects, the runtime reports it under `name`: an event in
   * production, a failed run in the simulator. Work that expects failures handles them itself.
   */
  spawn(name: string, work: () => Promise<void>): void
}
