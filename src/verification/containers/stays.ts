/**
 * A container (a queue, a stack) whose values are all different can be judged without a search: each value
 * has one stay in it, from one put to one take, and everything that can go wrong shows in the times of few
 * stays. Here the stays are read out of a history; `queue-conflict.ts` and `stack-conflict.ts` judge them.
 *
 * What a value's own two operations say about each other is put into the times: a value is put in before
 * it is taken out.
 */
import type { History, Operation, Value } from '../history.ts'

/** All times are those of the history: the put took effect between two of them, the take as well. */
export interface Stay {
  readonly put: number
  /** -1: by nobody who said so; then both times are Infinity. */
  readonly take: number
  readonly putFrom: number
  readonly putUntil: number
  readonly takeFrom: number
  readonly takeUntil: number
}

/** A take that found nothing, or one whose end nobody saw (`until` is Infinity, it may have taken any value). */
export interface Visit {
  readonly place: number
  readonly from: number
  readonly until: number
}

export interface Stays {
  readonly stays: readonly Stay[]
  readonly empties: readonly Visit[]
  /** In the order of their calls. */
  readonly openTakes: readonly Visit[]
}

/** What an operation asks: to put this in, or to take something out. */
export type Asked = { readonly put: Value } | 'take'

/** Places of operations that cannot be right together. */
export type Conflict = readonly number[]

/**
 * @returns the stays, or a conflict that is plain already: a value taken that was never put in, taken twice,
 * or taken before it was put in. `undefined`: a value comes twice, or an answer is missing, so nothing
 * can be said this way.
 */
export function staysOf<Input>(
  history: History<Input, Value>,
  askedOf: (input: Input) => Asked,
): Stays | { readonly conflict: Conflict } | undefined {
  const puts = new Map<Value, number>()
  const takes = new Map<Value, number[]>()
  const empties: Visit[] = []
  const openTakes: Visit[] = []
  for (const [place, operation] of history.entries()) {
    if (!(operation.calledAt <= operation.returnedAt)) return undefined
    const asked = askedOf(operation.input)
    if (asked === 'take') {
      const { output, calledAt: from, returnedAt: until } = operation
      if (isOpen(operation) !== (output === undefined)) return undefined
      if (output === undefined) openTakes.push({ place, from, until })
      else if (output === null) empties.push({ place, from, until })
      else noteTake(takes, output, place)
    } else {
      if (asked.put === null || Object.is(asked.put, -0) || puts.has(asked.put)) return undefined
      puts.set(asked.put, place)
    }
  }
  const stays: Stay[] = []
  for (const [value, [first = -1, second]] of takes) {
    const put = puts.get(value)
    if (Object.is(value, -0)) return undefined
    if (put === undefined) return { conflict: [first] }
    if (second !== undefined) return { conflict: [put, first, second] }
    const stay = taken(history, put, first)
    if (stay === undefined) return { conflict: [put, first] }
    stays.push(stay)
    puts.delete(value)
  }
  for (const put of puts.values()) {
    const operation = history[put]
    // An open put that nobody took need never have happened.
    if (operation !== undefined && !isOpen(operation)) stays.push(left(operation, put))
  }
  return { stays, empties, openTakes: openTakes.sort((a, b) => (a.from < b.from ? -1 : 1)) }
}

/** Two takes of one value are one too many, and a hostile history may have a million. */
function noteTake(takes: Map<Value, number[]>, value: Value, place: number): void {
  const places = takes.get(value)
  if (places === undefined) takes.set(value, [place])
  else if (places.length < 2) places.push(place)
}

function isOpen({ returnedAt }: Operation): boolean {
  return returnedAt === Number.POSITIVE_INFINITY
}

function taken(history: History, put: number, take: number): Stay | undefined {
  const [into, out] = [history[put], history[take]]
  if (into === undefined || out === undefined || out.returnedAt < into.calledAt) return undefined
  return {
    put,
    take,
    putFrom: into.calledAt,
    putUntil: Math.min(into.returnedAt, out.returnedAt),
    takeFrom: Math.max(out.calledAt, into.calledAt),
    takeUntil: out.returnedAt,
  }
}

function left({ calledAt, returnedAt }: Operation, put: number): Stay {
  const never = Number.POSITIVE_INFINITY
  return {
    put,
    take: -1,
    putFrom: calledAt,
    putUntil: returnedAt,
    takeFrom: never,
    takeUntil: never,
  }
}

/** The operations of these stays, without those that never were. */
export function placesOf(stays: readonly Stay[], more: readonly Visit[] = []): Conflict {
  return [...stays.flatMap(({ put, take }) => [put, take]), ...more.map(({ place }) => place)]
    .filter((place) => place >= 0)
    .sort((a, b) => a - b)
}
