/**
 * An endpoint is one place where a service can be reached right now. Discovery finds them, a balancer
 * chooses among them, RPC connects to them; this is the one shape they share.
 */
export interface Endpoint {
  /** Unique for each incarnation of an instance, never reused. */
  readonly id: string
  /** `host:port`. */
  readonly address: string
  /** Relative capacity, 0 to 1_000. 0: drain, no new calls. */
  readonly weight: number
  /** The instance's name, stable over restarts: `order-1`. For people. */
  readonly instance: string
  readonly metadata: Readonly<Record<string, string>>
}

/** Where endpoints come from: a fixed list, discovery, a test. */
export interface EndpointSource {
  /** The present list, an immutable snapshot: the same array until something changes. */
  endpoints(): readonly Endpoint[]
  /** Calls after each change of the snapshot. @returns stops. */
  subscribe(changed: () => void): () => void
}

/** A list that never changes. */
export function fixedEndpoints(endpoints: readonly Endpoint[]): EndpointSource {
  return { endpoints: () => endpoints, subscribe: () => () => {} }
}
