/**
 * Once nothing is written any more and the network is whole, all replicas come to hold the same, and nothing
 * that was acknowledged is missing from it.
 */
import type { Value } from '../history.ts'
import { type CheckReport, findings } from './findings.ts'

export interface Replica {
  readonly name: string
  /** What it held at the end: elements of a set, or `key=value` of a map. In any order. */
  readonly holds: readonly Value[]
}

export interface Updates {
  /** Must be held at the end. Leave out what a later update may have replaced. */
  readonly acknowledged?: readonly Value[]
  /** All that anyone tried to write, if it is known: anything else came from nowhere. */
  readonly attempted?: readonly Value[]
}

export type ConvergenceFinding = 'diverged' | 'lost' | 'phantom'

export function checkConvergence(
  replicas: readonly Replica[],
  { acknowledged = [], attempted }: Updates = {},
): CheckReport<ConvergenceFinding> {
  const found = findings<ConvergenceFinding>()
  const sets = replicas.map(({ name, holds }) => ({ name, held: new Set(holds) }))
  const allowed = attempted === undefined ? undefined : new Set(attempted)
  const [first] = sets
  for (const { name, held } of sets) {
    if (first !== undefined && differs(first.held, held)) {
      found.add('diverged', `${name} and ${first.name} do not hold the same`)
    }
    for (const value of acknowledged) {
      if (!held.has(value)) found.add('lost', `${name} lacks ${String(value)}`)
    }
    for (const value of held) {
      if (allowed?.has(value) === false) found.add('phantom', `${name} holds ${String(value)}`)
    }
  }
  return found.report(replicas.length > 0)
}

function differs(one: ReadonlySet<Value>, other: ReadonlySet<Value>): boolean {
  return one.size !== other.size || [...one].some((value) => !other.has(value))
}
