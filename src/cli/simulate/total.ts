/**
 * The sum over all seeds, in one line and in a verdict.
 */
import type { SeedReport } from './seed-worker.ts'

/** What is added up of any number of seeds. */
export interface Sums {
  seeds: number
  counted: number
  events: number
  virtualMs: number
  readonly notCounted: Record<string, number>
  readonly undecided: Record<string, number>
  readonly reached: Record<string, number>
  readonly struck: Record<string, number>
}

export function emptySums(): Sums {
  const numbers = { seeds: 0, counted: 0, events: 0, virtualMs: 0 }
  return { ...numbers, notCounted: {}, undecided: {}, reached: {}, struck: {} }
}

export function addSums(sums: Sums, more: Readonly<Sums>): void {
  sums.seeds += more.seeds
  sums.counted += more.counted
  sums.events += more.events
  sums.virtualMs += more.virtualMs
  for (const name of ['notCounted', 'undecided', 'reached', 'struck'] as const) {
    for (const [key, count] of Object.entries(more[name])) {
      sums[name][key] = (sums[name][key] ?? 0) + count
    }
  }
}

export function sumsOf(report: SeedReport): Sums {
  const { seeds, seedsThatCount: counted, events, virtualMs } = report
  const { notCounted, undecided, reached, struck } = report
  return { seeds, counted, events, virtualMs, notCounted, undecided, reached, struck }
}

export interface Total {
  add(report: SeedReport): void
  /** How far, how fast. */
  line(): string
  /** @returns 1 if no seed did anything, else 0. */
  verdict(output: { write(text: string): unknown }): number
}

export function total(): Total {
  const startMs = Date.now()
  const sums = emptySums()
  const listed = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `\n  ${count}  ${name}`)
      .join('')

  return {
    add: (report) => addSums(sums, sumsOf(report)),
    line() {
      const { seeds, counted, events, virtualMs } = sums
      const seconds = Math.max(0.001, (Date.now() - startMs) / 1_000)
      const rate = (seeds / seconds).toFixed(1)
      return (
        `${seeds} seeds (${counted} count), ${events} events, ${rate} seeds/s, ` +
        `${duration(virtualMs / seconds)} simulated per second`
      )
    },
    verdict(output) {
      const { struck, notCounted, undecided, counted } = sums
      const some = (counts: object): boolean => Object.keys(counts).length > 0
      if (some(struck)) output.write(`faults that hit:${listed(struck)}\n`)
      if (some(notCounted)) output.write(`seeds that do not count:${listed(notCounted)}\n`)
      if (some(undecided)) output.write(`UNDECIDED by a judge:${listed(undecided)}\n`)
      output.write(counted > 0 ? 'ok\n' : 'FAILED  no seed did anything worth counting\n')
      return counted > 0 ? 0 : 1
    },
  }
}

export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1_000
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  return seconds < 7_200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3_600).toFixed(1)} h`
}
