/**
 * The shape of every conformance suite: cases as data. Any test runner can run them, the simulator runs
 * each under faults, and the author of a third-party driver runs them against their own.
 */
import type { Runtime } from '../runtime/runtime.ts'

export interface ConformanceCase<Store> {
  /** A sentence that is true of a correct driver. */
  readonly name: string
  /** The ids of the bullets in the definition of done that it shows: `LK-4`. */
  readonly shows: readonly string[]
  /** Why the case does not apply to this driver, or `undefined` if it does. */
  skip?(store: Store): string | undefined
  run(bench: ConformanceBench<Store>): Promise<void>
}

/** What a case may use. Nothing in a case sleeps by itself. */
export interface ConformanceBench<Store> {
  readonly store: Store
  readonly runtime: Runtime
  /** A second client of the same store, as another process would have. */
  another(): Promise<Store>
  /**
   * A client that can die without a goodbye: from `die` on nothing of it happens any more. Absent where
   * the bench cannot kill; a case that needs one then shows nothing.
   */
  mortal?(): Promise<{ readonly store: Store; die(): void }>
  /** Lets time pass: virtual in the simulator, real against a live engine. */
  passMs(durationMs: number): Promise<void>
  /** A name that no other case uses. */
  unique(label: string): string
}
