/**
 * A set to which is only added, and which is read whole. What was acknowledged is in every read that is called
 * later; what was once read does not go away; nothing is in it that nobody tried to add.
 */
import type { Value } from '../history.ts'
import { type CheckReport, findings } from './findings.ts'

export interface Added {
  readonly value: Value
  readonly calledAt: number
  /** Infinity: no answer was seen. */
  readonly returnedAt: number
}

export interface ReadAll {
  readonly values: readonly Value[]
  readonly calledAt: number
  readonly returnedAt: number
}

/** `lost`: also from the last read. `stale`: missing from a read, but a later one has it. */
export type SetFinding = 'lost' | 'stale' | 'phantom' | 'twice'

/** Time grows with values times reads. */
export function checkGrowOnlySet(
  adds: readonly Added[],
  reads: readonly ReadAll[],
): CheckReport<SetFinding> {
  const found = findings<SetFinding>()
  const called = new Map<Value, number>()
  /** Of each value, since when it must be there. */
  const due = new Map<Value, number>()
  for (const { value, calledAt, returnedAt } of adds) {
    called.set(value, Math.min(calledAt, called.get(value) ?? calledAt))
    due.set(value, Math.min(returnedAt, due.get(value) ?? returnedAt))
  }
  const inOrder = reads.map((read) => ({ ...read, has: new Set(read.values) }))
  inOrder.sort((a, b) => a.calledAt - b.calledAt)
  for (const { values, has, returnedAt } of inOrder) {
    if (has.size < values.length) found.add('twice', 'a read holds a value twice')
    for (const value of has) {
      const from = called.get(value)
      if (from === undefined || from > returnedAt) {
        found.add('phantom', `${String(value)} was read but not added`)
      } else due.set(value, Math.min(returnedAt, due.get(value) ?? returnedAt))
    }
  }
  const last = inOrder.at(-1)
  for (const [value, since] of due) {
    const missing = inOrder.filter(({ has, calledAt }) => calledAt > since && !has.has(value))
    if (missing.length === 0) continue
    const kind = last !== undefined && missing.includes(last) ? 'lost' : 'stale'
    found.add(
      kind,
      `${String(value)}, there since ${since}, is missing from ${missing.length} reads`,
    )
  }
  return found.report(reads.length > 0)
}
