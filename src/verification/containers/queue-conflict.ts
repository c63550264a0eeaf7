/**
 * First in, first out, without a search. A history whose values are all different is wrong exactly if
 * (Henzinger, Sezgin and Vafeiadis, CONCUR 2013) a value is taken that was not put in, or twice; or one put
 * in surely before another comes out surely after it, or not at all; or a take that found nothing has no instant at
 * which the queue may have been empty.
 *
 * Takes whose end nobody saw are dealt out here to the values that nobody else took. Each may take any
 * value from its call on, so only numbers count: whenever some values must be gone by an instant, as many such takes must
 * have been called by then. Values that must be gone earlier were put in earlier, so the demands are nested
 * and the count at each of them is enough.
 */
import type { History, Value } from '../history.ts'
import { occupied } from './occupied.ts'
import {
  type Asked,
  type Conflict,
  placesOf,
  type Stay,
  type Stays,
  staysOf,
  type Visit,
} from './stays.ts'

/**
 * Places that cannot be right together; none: an order exists; `undefined`: this way cannot tell. Takes time
 * n log n.
 */
export function queueConflict<Input>(
  history: History<Input, Value>,
  askedOf: (input: Input) => Asked,
): Conflict | undefined {
  const read = staysOf(history, askedOf)
  if (read === undefined || 'conflict' in read) return read?.conflict
  const taken = read.stays.filter(({ take }) => take >= 0)
  const left = read.stays.filter(({ take }) => take < 0).sort((a, b) => by(a.putUntil, b.putUntil))
  return (
    overtaken(taken) ?? leftBehind(taken, left, read.openTakes) ?? notEmpty(taken, left, read) ?? []
  )
}

const by = (one: number, other: number): number => (one < other ? -1 : one > other ? 1 : 0)

/** Put in surely before another, and taken out surely after it. */
function overtaken(taken: readonly Stay[]): Conflict | undefined {
  const byEnd = taken.toSorted((a, b) => by(a.putUntil, b.putUntil))
  let next = 0
  /** Of all put in before, the one that was taken last. */
  let last: Stay | undefined
  for (const stay of taken.toSorted((a, b) => by(a.putFrom, b.putFrom))) {
    for (
      let one = byEnd[next];
      one !== undefined && one.putUntil < stay.putFrom;
      one = byEnd[next]
    ) {
      if (last === undefined || one.takeFrom > last.takeFrom) last = one
      next += 1
    }
    if (last !== undefined && last.takeFrom > stay.takeUntil) return placesOf([last, stay])
  }
  return undefined
}

/** Put in surely before another that was taken, and too few open takes to have taken it before. */
function leftBehind(
  taken: readonly Stay[],
  left: readonly Stay[],
  openTakes: readonly Visit[],
): Conflict | undefined {
  const later = taken.toSorted((a, b) => by(b.putFrom, a.putFrom))
  const goneBy: Stay[] = []
  let next = 0
  let soonest: Stay | undefined
  // From the last put in to the first, so that those put in after it are met before it.
  for (let at = left.length - 1; at >= 0; at--) {
    const putUntil = left[at]?.putUntil ?? 0
    for (let one = later[next]; one !== undefined && one.putFrom > putUntil; one = later[next]) {
      if (soonest === undefined || one.takeUntil < soonest.takeUntil) soonest = one
      next += 1
    }
    if (soonest !== undefined) goneBy[at] = soonest
  }
  for (const [at, rival] of goneBy.entries()) {
    if (rival === undefined) break
    const takes = calledBy(openTakes, rival.takeUntil)
    if (takes > at) continue
    const rivals = new Set(goneBy.slice(0, at + 1))
    return placesOf([...left.slice(0, at + 1), ...rivals], openTakes.slice(0, takes))
  }
  return undefined
}

/** A take that found nothing, though something was in the queue at every instant of it. */
function notEmpty(
  taken: readonly Stay[],
  left: readonly Stay[],
  { empties, openTakes }: Stays,
): Conflict | undefined {
  const { freeFrom } = occupied(taken)
  const putBefore = (time: number): number => countWhile(left, (stay) => stay.putUntil < time)
  const fits = (time: number): boolean => putBefore(time) <= calledBy(openTakes, time)
  const after = (take: number): number => freeFrom(openTakes[take]?.from ?? Infinity)
  /** Of each open take, the first from it on by whose call enough are called. */
  const enough = new Int32Array(openTakes.length + 1).fill(openTakes.length)
  for (let take = openTakes.length - 1; take >= 0; take--) {
    enough[take] = fits(after(take)) ? take : (enough[take + 1] ?? 0)
  }
  for (const empty of empties) {
    let time = freeFrom(empty.from)
    // Waiting helps only once more takes were called.
    if (!fits(time)) time = after(enough[calledBy(openTakes, time)] ?? 0)
    if (time <= empty.until) continue
    const inside = taken.filter((stay) => stay.putUntil < empty.until && stay.takeFrom > empty.from)
    const takes = openTakes.slice(0, calledBy(openTakes, empty.until))
    return placesOf([...inside, ...left.slice(0, putBefore(empty.until))], [empty, ...takes])
  }
  return undefined
}

function calledBy(openTakes: readonly Visit[], time: number): number {
  return countWhile(openTakes, ({ from }) => from <= time)
}

/** How many at the front of a list are so; behind the first that is not, none is. */
function countWhile<T>(list: readonly T[], is: (one: T) => boolean): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    const one = list[middle]
    if (one !== undefined && is(one)) low = middle + 1
    else high = middle
  }
  return low
}
