/**
 * What the load found, for people: a line of progress while it runs, a table at the end.
 */
import type { Invariants } from './shop-client.ts'

export interface Counts {
  sent: number
  accepted: number
  confirmed: number
  rejected: number
  /** Turned down at the door, or never answered. */
  refused: number
  retried: number
}

export function progress(total: number, counts: Counts): () => void {
  const startedAt = performance.now()
  const line = (): string => {
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0)
    const ended = counts.confirmed + counts.rejected
    return `${seconds} s: ${counts.sent}/${total} sent, ${counts.accepted} accepted, ${ended} ended, ${counts.retried} retries`
  }
  const inPlace = process.stdout.isTTY === true
  const timer = setInterval(
    () => process.stdout.write(inPlace ? `\r${line()}  ` : `${line()}\n`),
    inPlace ? 250 : 2_000,
  )
  return () => {
    clearInterval(timer)
    process.stdout.write(`${inPlace ? '\r' : ''}${line()}\n`)
  }
}

export interface LoadResult {
  readonly counts: Counts
  readonly acceptMs: readonly number[]
  readonly endMs: readonly number[]
  readonly reasons: ReadonlyMap<string, number>
  readonly invariants: Invariants | undefined
}

/** Prints the result. @returns whether every accepted order ended and the invariants hold. */
export function loadReport({ counts, acceptMs, endMs, reasons, invariants }: LoadResult): boolean {
  const ended = counts.confirmed + counts.rejected
  const lines = [
    `accepted   ${counts.accepted} of ${counts.sent} (${counts.refused} refused, ${counts.retried} retries)`,
    `confirmed  ${counts.confirmed}`,
    `rejected   ${counts.rejected}${[...reasons].map(([reason, count]) => ` (${reason}: ${count})`).join('')}`,
    `unended    ${counts.accepted - ended}`,
    `accept ms  ${percentiles(acceptMs)}`,
    `end ms     ${percentiles(endMs)}`,
    ...(invariants?.checks ?? []).map(
      ({ name, ok, detail }) => `${ok ? 'holds ' : 'BROKEN'}     ${name}: ${detail}`,
    ),
    ...(invariants === undefined ? ['invariants did not answer'] : []),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  return ended === counts.accepted && invariants?.ok === true
}

function percentiles(values: readonly number[]): string {
  if (values.length === 0) return 'none'
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0)
  return `p50 ${at(0.5)}  p90 ${at(0.9)}  p99 ${at(0.99)}  max ${at(1)}`
}
