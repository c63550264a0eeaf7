/**
 * The clock of due times. Delays must outlive a reboot, so they are kept on wall time; but a wall clock
 * may be set back, and then what was due would be due no longer. So the file remembers the latest time
 * it has acted on, with the monotonic reading that belongs to it, and its time is the later of two: the
 * wall clock, and the remembered time plus what the monotonic clock has counted since.
 *
 * - A step back changes nothing: time goes on at the rate of the monotonic clock.
 * - A step forward is believed: what falls due within the step is due at once, too early by the step.
 *   Nothing can tell a wrong step from a machine that has slept. Later delays run as usual, because
 *   they are counted from the file's time. Expiries and dedup horizons shrink by the step likewise.
 * - After a reboot the monotonic clock has begun anew. Whoever opens the file first gives every row an
 *   anchor in the new boot, so time goes on from where it was, even if the wall clock has meanwhile been
 *   set back. What passed while the machine was off counts as far as the wall clock shows it.
 *
 * A reading is taken before the batch is sent and may be old when it runs: late again, never early.
 */
import type { Clock } from '../../runtime/clock.ts'
import type { SqlStatement, SqlValue } from '../../runtime/sql.ts'

export interface ClockReading {
  readonly wallMs: number
  /** Rounded down, so that a delay counted from it cannot end early on a fraction. */
  readonly monotonicMs: number
  readonly bootId: string
}

/** The clock's columns, for a table whose rows keep a time of their own. */
export const clockColumns: string = `
    clock_ms INTEGER NOT NULL DEFAULT 0,
    clock_monotonic_ms INTEGER NOT NULL DEFAULT 0,
    clock_boot TEXT NOT NULL DEFAULT ''`

/** The row's time as an expression over its clock columns. */
export function clockNow(wall: string, monotonic: string, boot: string): string {
  return `max(${wall}, clock_ms + CASE WHEN clock_boot = ${boot}
    THEN max(0, ${monotonic} - clock_monotonic_ms) ELSE 0 END)`
}

/** Assignments that make the row remember its time. */
export function clockAdvance(wall: string, monotonic: string, boot: string): string {
  return `clock_ms = ${clockNow(wall, monotonic, boot)},
    clock_monotonic_ms = CASE WHEN clock_boot = ${boot}
      THEN max(${monotonic}, clock_monotonic_ms) ELSE ${monotonic} END,
    clock_boot = ${boot}`
}

/** After a reboot, gives the rows of a table their anchor in this boot. */
export function clockResumed(table: string, reading: ClockReading): SqlStatement {
  return {
    sql: `UPDATE ${table} SET ${clockAdvance('?1', '?2', '?3')}
          WHERE clock_boot <> '' AND clock_boot <> ?3`,
    parameters: clockParameters(reading),
  }
}

/** Readings of one process: they hide a step back even from those who only look. */
export function dueClock(clock: Clock): () => ClockReading {
  let latestMs = 0
  let latestMonotonicMs = 0
  return () => {
    const monotonicMs = Math.floor(clock.monotonicMs())
    latestMs = Math.max(Math.floor(clock.wallMs()), latestMs + monotonicMs - latestMonotonicMs)
    latestMonotonicMs = monotonicMs
    return { wallMs: latestMs, monotonicMs, bootId: clock.bootId }
  }
}

/** In the order that statements expect them. */
export function clockParameters(reading: ClockReading): readonly SqlValue[] {
  return [reading.wallMs, reading.monotonicMs, reading.bootId]
}
