/**
 * What a judge reads: who asked for what, when the call began, when it ended, and what came back. A judge
 * trusts nothing else. An operation whose end nobody saw stays open: it may take effect at any time after
 * its call, or never, and its result says nothing.
 */

/** Times may be any numbers that agree with real time: milliseconds, or the line in a log. */
export interface Operation<Input = unknown, Output = unknown> {
  /** Who called. One process calls one operation at a time, except where a judge says otherwise. */
  readonly process: number | string
  readonly input: Input
  /** Absent: unknown. */
  readonly output?: Output
  readonly calledAt: number
  /**
   * Infinity: open. Intervals are closed: an operation that returns at the instant at which another is
   * called overlaps it, because a clock cannot tell which was first.
   */
  readonly returnedAt: number
}

export type History<Input = unknown, Output = unknown> = readonly Operation<Input, Output>[]

/** `unknown`: the judge ran out of steps, time or memory, or the history does not say enough. */
export type Verdict = 'ok' | 'violation' | 'unknown'

/** The value of a simple model, and of a key or an element. Structured values go in as canonical text. */
export type Value = string | number | bigint | boolean | null
