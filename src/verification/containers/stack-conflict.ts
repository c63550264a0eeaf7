/**
 * Last in, first out, without a search, where all values are different. In a right order the stays nest like
 * brackets. So either there is an instant at which the stack may have been empty, and what is before it and what
 * is after it are judged apart; or one value lay at the bottom all the time: its put may come before all others, and its
 * take after them. Taking it away leaves a history that is right exactly if the whole is, so any such value will
 * do and nothing is ever taken back. If there is neither, no order exists.
 *
 * The same idea is behind the polynomial judges of Gibbons and Korach (SIAM J. Comput. 1997); with trees over the
 * times it costs n log n.
 */
import type { History, Value } from '../history.ts'
import { occupied } from './occupied.ts'
import { coverTree, largestTree } from './range-trees.ts'
import { type Asked, type Conflict, placesOf, type Stay, type Stays, staysOf } from './stays.ts'

/**
 * Places that cannot be right together; none: an order exists; `undefined`: this way cannot tell. Which values
 * open takes took is not tried out: if the history is right without them it is right, and if it is wrong even
 * though every value that is left may have gone from the first of them on, it is wrong.
 */
export function stackConflict<Input>(
  history: History<Input, Value>,
  askedOf: (input: Input) => Asked,
): Conflict | undefined {
  const read = staysOf(history, askedOf)
  if (read === undefined || 'conflict' in read) return read?.conflict
  const { stays, empties, openTakes } = read
  const strict = conflictOf(read)
  const [first] = openTakes
  if (first === undefined || strict.length === 0) return strict
  const eased = stays.map((stay) =>
    stay.take >= 0 ? stay : { ...stay, takeFrom: Math.max(first.from, stay.putFrom) },
  )
  const conflict = conflictOf({ stays: eased, empties, openTakes })
  if (conflict.length === 0) return undefined
  return [...conflict, ...openTakes.map(({ place }) => place)].sort((a, b) => a - b)
}

function conflictOf({ stays, empties }: Stays): Conflict {
  const { freeFrom } = occupied(stays)
  for (const empty of empties) {
    if (freeFrom(empty.from) <= empty.until) continue
    const inside = stays.filter(
      ({ putUntil, takeFrom }) => putUntil < empty.until && takeFrom > empty.from,
    )
    return placesOf(inside, [empty])
  }
  // The others may come and go in one instant, whatever lies below.
  return placesOf(unnested(stays.filter(({ putUntil, takeFrom }) => putUntil < takeFrom)))
}

/** Stays that no nesting explains; none if one explains all. */
function unnested(given: readonly Stay[]): readonly Stay[] {
  const stays = given.toSorted((a, b) => by(a.putUntil, b.putUntil))
  const instants = Float64Array.from(
    new Set(stays.flatMap(({ putUntil, takeFrom }) => [putUntil, takeFrom])),
  ).sort()
  const numberOf = new Map(Array.from(instants, (time, number) => [time, number]))
  const begins = stays.map(({ putUntil }) => numberOf.get(putUntil) ?? 0)
  const ends = stays.map(({ takeFrom }) => numberOf.get(takeFrom) ?? 0)
  /** Of each instant, the first stay that begins at it or later. */
  const firstAt = new Int32Array(instants.length + 1).fill(stays.length)
  for (let at = stays.length - 1; at >= 0; at--) firstAt[begins[at] ?? 0] = at
  for (let at = instants.length - 1; at >= 0; at--) {
    firstAt[at] = Math.min(firstAt[at] ?? 0, firstAt[at + 1] ?? 0)
  }
  const covered = coverTree(instants.length)
  /** Begun too late to be the bottom, the earliest first; then those that began in time, by their end. */
  const tooLate = largestTree(stays.length)
  const inTime = largestTree(stays.length)
  stays.forEach(({ putFrom }, at) => {
    tooLate.set(at, -putFrom)
    covered.cover((begins[at] ?? 0) + 1, ends[at] ?? 0, 1)
  })

  /** Takes the bottom away. @returns false: there is none; undefined: nothing is left. */
  function withoutBottom(low: number, high: number): boolean | undefined {
    const [from, until] = [firstAt[low] ?? 0, firstAt[high] ?? 0]
    let late = tooLate.largest(from, until)
    while (late >= 0 && -tooLate.valueAt(late) <= (instants[low] ?? 0)) {
      tooLate.set(late, Number.NEGATIVE_INFINITY)
      inTime.set(late, stays[late]?.takeUntil ?? 0)
      late = tooLate.largest(from, until)
    }
    const bottom = inTime.largest(from, until)
    if (bottom < 0) return late < 0 ? undefined : false
    if (inTime.valueAt(bottom) < (instants[high] ?? 0)) return false
    inTime.set(bottom, Number.NEGATIVE_INFINITY)
    covered.cover((begins[bottom] ?? 0) + 1, ends[bottom] ?? 0, -1)
    return true
  }

  const open: [low: number, high: number][] = [[0, instants.length - 1]]
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const [low, high] = range
    const bare = covered.bare(low + 1, high)
    if (bare >= 0) open.push([low, bare], [bare, high])
    else if (low < high) {
      const taken = withoutBottom(low, high)
      if (taken === true) open.push(range)
      if (taken === false) {
        return stays.slice(firstAt[low], firstAt[high]).filter((_, index) => {
          const at = (firstAt[low] ?? 0) + index
          return Math.max(tooLate.valueAt(at), inTime.valueAt(at)) > Number.NEGATIVE_INFINITY
        })
      }
    }
  }
  return []
}

const by = (one: number, other: number): number => (one < other ? -1 : one > other ? 1 : 0)
