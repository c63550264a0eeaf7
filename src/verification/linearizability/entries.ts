/**
 * One part of a history, laid out for the search. Completed operations become two entries each, a call and
 * a return, in one doubly linked list in the order of time: an operation may come next exactly if its
 * call stands before the first return. Taking both entries out, and putting them back, costs a few writes.
 * Open operations have no return and so never press; they stand in a list of their own and are tried last.
 */
import type { Operation } from '../history.ts'

export interface Entries<Input, Output> {
  /** Completed operations in the order of their calls, then the open ones in that order. */
  readonly operations: readonly Operation<Input, Output>[]
  /** Of each operation, its place in the history given. */
  readonly places: Int32Array
  readonly completed: number
  /** Entry 0 is the head of the list, and its end. Entries 1 to 2 × completed stand in time order. */
  readonly next: Int32Array
  readonly previous: Int32Array
  readonly operationOf: Int32Array
  readonly isReturn: Uint8Array
  readonly time: Float64Array
  readonly callOf: Int32Array
  readonly returnOf: Int32Array
}

/** @throws RangeError an operation returns before it is called, or a time is not a number. */
export function entries<Input, Output>(
  history: readonly Operation<Input, Output>[],
  chosen: readonly number[],
): Entries<Input, Output> {
  const placed: [place: number, operation: Operation<Input, Output>][] = []
  for (const place of chosen) {
    const operation = history[place]
    if (operation !== undefined) placed.push([place, timed(operation, place)])
  }
  const open = ([, operation]: (typeof placed)[number]): number =>
    operation.returnedAt === Number.POSITIVE_INFINITY ? 1 : 0
  placed.sort(
    (a, b) => open(a) - open(b) || compareTimes(a[1].calledAt, b[1].calledAt) || a[0] - b[0],
  )
  const operations = placed.map(([, operation]) => operation)
  const completed = placed.reduce((count, one) => count + 1 - open(one), 0)
  return { operations, places: Int32Array.from(placed, ([place]) => place), ...list() }

  function list(): Omit<Entries<Input, Output>, 'operations' | 'places'> {
    const count = 2 * completed
    const times = Float64Array.from({ length: count }, (_, event) => {
      const operation = operations[event >> 1]
      return (event & 1 ? operation?.returnedAt : operation?.calledAt) ?? 0
    })
    // At one instant calls stand before returns: intervals are closed.
    const order = Uint32Array.from({ length: count }, (_, event) => event).sort(
      (a, b) =>
        compareTimes(times[a] ?? 0, times[b] ?? 0) || (a & 1) - (b & 1) || (a >> 1) - (b >> 1),
    )
    const size = count + 1
    const next = Int32Array.from({ length: size }, (_, entry) => (entry + 1) % size)
    const previous = Int32Array.from({ length: size }, (_, entry) => (entry + count) % size)
    const operationOf = new Int32Array(size)
    const isReturn = new Uint8Array(size)
    const time = new Float64Array(size)
    const callOf = new Int32Array(completed)
    const returnOf = new Int32Array(completed)
    order.forEach((event, at) => {
      const entry = at + 1
      operationOf[entry] = event >> 1
      isReturn[entry] = event & 1
      time[entry] = times[event] ?? 0
      if (event & 1) returnOf[event >> 1] = entry
      else callOf[event >> 1] = entry
    })
    return { completed, next, previous, operationOf, isReturn, time, callOf, returnOf }
  }
}

/** Subtraction would make NaN of two infinities. */
function compareTimes(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function timed<Input, Output>(
  operation: Operation<Input, Output>,
  place: number,
): Operation<Input, Output> {
  const { calledAt, returnedAt } = operation
  if (calledAt <= returnedAt) return operation
  throw new RangeError(`operation ${place} is called at ${calledAt}, returns at ${returnedAt}`)
}
