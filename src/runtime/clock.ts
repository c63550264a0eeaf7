/**
 * Two clocks, because no single one can do both jobs: the wall clock can be compared with a date but
 * jumps and drifts; the monotonic clock never goes back but means nothing on another machine or after
 * a reboot. Durations and leases use the monotonic clock; only due dates use the wall clock.
 */
export interface Clock {
  /** Milliseconds since 1970 UTC. May jump either way. Never compare it with another machine's. */
  wallMs(): number
  /**
   * Milliseconds since some instant of this boot, never decreasing, may have a fraction. All
   * processes of a machine read the same clock, so readings may be shared between them together with
   * `bootId`. It may stand still while a virtual machine is suspended: fencing is still needed.
   */
  monotonicMs(): number
  /** Names the boot that `monotonicMs` counts from. Readings under different ids are not comparable. */
  readonly bootId: string
}

export interface Timers {
  /**
   * Calls back once, not before `delayMs` have passed on the monotonic clock; how much later depends
   * on the load, so check the clock again when it matters. Any delay from 0 to 100 years is allowed.
   */
  schedule(delayMs: number, callback: () => void, options?: TimerOptions): Timer
}

export interface TimerOptions {
  /** A background timer alone does not keep the process alive. Default `false`. */
  readonly background?: boolean
}

export interface Timer {
  /** Safe to repeat, and after the timer has fired. */
  cancel(): void
}
