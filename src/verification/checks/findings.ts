/** What a check found wrong: each kind counted in full, some told in words. */
import type { Verdict } from '../history.ts'

export interface Finding<Kind extends string = string> {
  readonly kind: Kind
  /** For people. */
  readonly words: string
}

export interface CheckReport<Kind extends string = string> {
  /** `unknown`: the history holds nothing that could have gone wrong. */
  readonly verdict: Verdict
  /** The first hundred. */
  readonly findings: readonly Finding<Kind>[]
  /** How many there were of each kind. */
  readonly counts: Readonly<Partial<Record<Kind, number>>>
}

export interface Findings<Kind extends string> {
  add(kind: Kind, words: string): void
  /** @param tried whether anything was put to the test */
  report(tried: boolean): CheckReport<Kind>
}

const toldMax = 100

export function findings<Kind extends string>(): Findings<Kind> {
  const told: Finding<Kind>[] = []
  const counts: Partial<Record<Kind, number>> = {}
  let wrong = false
  return {
    add(kind, words) {
      wrong = true
      counts[kind] = (counts[kind] ?? 0) + 1
      if (told.length < toldMax) told.push({ kind, words })
    },
    report: (tried) => ({
      verdict: wrong ? 'violation' : tried ? 'ok' : 'unknown',
      findings: told,
      counts,
    }),
  }
}
