/**
 * The sum over all seeds, in one line and in a verdict.
 */
import type { SeedReport } from './seed-worker.ts'

export interface Total {
  add(report: SeedReport): void
  /** How far, how fast. */
  line(): string
  /** @returns 1 if no seed did anything, else 0. */
  verdict(output: { write(text: string): unknown }): number
}

export function total(): Total {
  const startMs = Date.now()
  let seeds = 0
  let counted = 0
  let events = 0
  let virtualMs = 0
  const reasons = new Map<string, number>()
  const struck = new Map<string, number>()

  function addAll(
    sums: Map<string, number>,
    more: Readonly<Record<string, number | undefined>>,
  ): void {
    for (const [name, count = 0] of Object.entries(more)) {
      sums.set(name, (sums.get(name) ?? 0) + count)
    }
  }
  const listed = (sums: ReadonlyMap<string, number>): string =>
    [...sums].map(([name, count]) => `\n  ${count}  ${name}`).join('')

  return {
    add(report) {
      seeds += report.seeds
      counted += report.seedsThatCount
      events += report.events
      virtualMs += report.virtualMs
      addAll(reasons, report.notCounted)
      addAll(struck, report.struck)
    },
    line() {
      const seconds = Math.max(0.001, (Date.now() - startMs) / 1_000)
      const rate = (seeds / seconds).toFixed(1)
      return (
        `${seeds} seeds (${counted} count), ${events} events, ${rate} seeds/s, ` +
        `${duration(virtualMs / seconds)} simulated per second`
      )
    },
    verdict(output) {
      if (struck.size > 0) output.write(`faults that hit:${listed(struck)}\n`)
      if (reasons.size > 0) output.write(`seeds that do not count:${listed(reasons)}\n`)
      output.write(counted > 0 ? 'ok\n' : 'FAILED  no seed did anything worth counting\n')
      return counted > 0 ? 0 : 1
    },
  }
}

function duration(milliseconds: number): string {
  const seconds = milliseconds / 1_000
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  return seconds < 7_200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3_600).toFixed(1)} h`
}
