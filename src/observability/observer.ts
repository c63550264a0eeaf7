/**
 * Observer is how code says what it does, without knowing who listens: events for what happened once,
 * counters and gauges for how much, and snapshots for what is true right now (locks held, sagas open),
 * which the console reads. Nobody listening costs one call.
 */
export interface Observer {
  /** Something happened, in the past tense: `leaseLost`. Fields are JSON and small; never secrets. */
  event(name: string, fields?: Readonly<Record<string, unknown>>): void
  /** Adds to a counter. `by` is 0 or more, default 1. Labels have few values. */
  count(name: string, labels?: Labels, by?: number): void
  /** Records one measurement, for a histogram: the unit is last in the name, `callMs`. */
  measure(name: string, value: number, labels?: Labels): void
  /**
   * Offers a view of live objects under `section`, read only when somebody looks. It must be quick,
   * bounded, and JSON (64-bit values as text).
   * @returns withdraws the view.
   */
  snapshot(section: string, read: () => unknown | Promise<unknown>): () => void
}

export type Labels = Readonly<Record<string, string>>

/** For those who do not look. */
export const silentObserver: Observer = {
  event() {},
  count() {},
  measure() {},
  snapshot: () => () => {},
}
