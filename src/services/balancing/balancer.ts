/**
 * A balancer chooses the endpoint of the next call. It is told the list, asked for a choice, and told
 * how each choice ended; everything else is the algorithm's own business.
 */
import type { Endpoint } from '../endpoint.ts'

export interface Balancer {
  /** The name of the algorithm: `round-robin`. */
  readonly name: string
  /** Takes the new list. State of endpoints that stay (same `id`) is kept. */
  update(endpoints: readonly Endpoint[]): void
  /**
   * @param exclude ids already tried by this call: chosen again only if nothing else is left.
   * @returns `undefined` if no endpoint has weight.
   */
  pick(exclude?: ReadonlySet<string>): Choice | undefined
}

export interface Choice {
  readonly endpoint: Endpoint
  /**
   * Must be called once when the call is over, however it ended; calls after the first are ignored.
   * `failed` is for failures of the endpoint (unreachable, overloaded, deadline), not for a refusal by
   * the application. `cancelled`: the caller went away, nothing is known about the endpoint.
   */
  finish(result: 'succeeded' | 'failed' | 'cancelled', tookMs: number): void
}
