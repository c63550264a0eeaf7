/**
 * How long to pause before the next attempt. The pauses grow, so that a sick server gets air, and are
 * random, so that the clients which failed together do not come back together.
 *
 * The two shapes are those of M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog,
 * 2015). Full jitter has the least load on the server; decorrelated jitter never pauses for less than
 * the base.
 */
import { requireInteger } from '../ports/arguments.ts'
import type { RandomSource } from '../runtime/random.ts'

export interface Backoff {
  /** The scale of the first pause. 1 to 3_600_000. */
  readonly baseMs: number
  /** No pause is longer, unless the server asked for more. `baseMs` to 86_400_000. */
  readonly capMs: number
  /**
   * `full`: uniform from 0 to base · 2^(failures − 1). `decorrelated`: uniform from base to three
   * times the last pause. Default `full`.
   */
  readonly jitter?: 'full' | 'decorrelated'
}

/** @throws {InvalidArgumentError} */
export function requireBackoff({ baseMs, capMs }: Backoff): void {
  requireInteger('backoff.baseMs', baseMs, 1, 3_600_000)
  requireInteger('backoff.capMs', capMs, baseMs, 86_400_000)
}

/**
 * @returns whole milliseconds.
 * @param failures how many attempts have failed so far, 1 or more.
 * @param lastMs the pause before the attempt that just failed; 0 if there was none.
 */
export function nextPauseMs(
  { baseMs, capMs, jitter = 'full' }: Backoff,
  random: RandomSource,
  failures: number,
  lastMs: number,
): number {
  const share = random.fraction('retry-backoff')
  const pauseMs =
    jitter === 'full'
      ? share * Math.min(capMs, baseMs * 2 ** (failures - 1))
      : Math.min(capMs, baseMs + share * (3 * Math.max(baseMs, lastMs) - baseMs))
  return Math.round(pauseMs)
}
