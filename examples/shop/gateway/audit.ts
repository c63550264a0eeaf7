/**
 * The audit behind a glass: it reads every ended order, so an answer is good for a moment, and whoever
 * asks meanwhile gets the same one.
 */
import type { Observer } from 'holdfast/observability'
import type { Clock } from 'holdfast/runtime'
import { type Books, type InvariantReport, invariants } from './invariants.ts'

/** An answer is good for so long. */
const keptMs = 1_000

export function audit(
  clock: Clock,
  observer: Observer,
  books: Books,
): () => Promise<InvariantReport> {
  let latest: { readonly atMs: number; readonly report: Promise<InvariantReport> } | undefined
  let shown: InvariantReport | undefined
  const read = (): Promise<InvariantReport> => {
    const nowMs = clock.monotonicMs()
    if (latest === undefined || nowMs - latest.atMs > keptMs) {
      const report = invariants(books, clock.wallMs())
      latest = { atMs: nowMs, report }
      report.then(
        (done) => {
          shown = done
        },
        () => {
          // A failed audit is not kept.
          latest = undefined
        },
      )
    }
    return latest.report
  }
  // The console looks often: it gets the last finished audit at once, and sets the next one going.
  observer.snapshot('invariants', () => {
    read().catch(() => {})
    return shown
  })
  return read
}
