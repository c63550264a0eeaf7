/**
 * The search for an order (Wing and Gong, 1993; Lowe's memory of places, 2017): take any operation that
 * may come next and that the model allows, go on, and when stuck take back the last one. It runs in slices,
 * so that many searches can take turns and each can be given up.
 *
 * Three cuts lose no order. A read that fits now is placed now, for good: later it would do nothing else.
 * An open operation that would change nothing is left out: it need never have happened. And the search
 * ends once every completed operation has its place.
 */
import type { Operation } from '../history.ts'
import { entries } from './entries.ts'
import { type DoneSet, type MemoPool, memo } from './memo.ts'
import { type Model, mixed } from './model.ts'

export interface Search {
  /** Goes on for about so many steps; `undefined`: not decided yet; `full`: no memory left. */
  advance(steps: number): 'ok' | 'violation' | 'full' | undefined
  readonly stepsTaken: number
  /** Places of operations, in the best order found, and those that might have come next but cannot. */
  best(): { readonly prefix: readonly number[]; readonly stuck: readonly number[] }
  readonly memorySize: number
  /** Gives the memory back. */
  close(): void
}

export function search<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  chosen: readonly number[],
  pool: MemoPool,
): Search {
  const list = entries(history, chosen.filter(matters))
  const { operations, completed, next, previous, operationOf, isReturn, time, callOf, returnOf } =
    list
  const count = operations.length
  const openCount = count - completed
  const isRead = Uint8Array.from(operations, ({ input, output }) =>
    model.reads?.(input, output) ? 1 : 0,
  )
  // Open operations, linked like the others; index openCount is head and end.
  const openNext = Int32Array.from({ length: openCount + 1 }, (_, at) => (at + 1) % (openCount + 1))
  const openPrevious = Int32Array.from(
    { length: openCount + 1 },
    (_, at) => (at + openCount) % (openCount + 1),
  )
  const done: DoneSet = {
    words: new Int32Array((completed >> 5) + 1),
    firstWord: 0,
    lastWord: 0,
    openWords: new Int32Array((openCount + 31) >> 5),
    hash: 0,
  }
  const places = memo(model.equal, pool)

  const stackOperation = new Int32Array(count)
  const stackForGood = new Uint8Array(count)
  const stackHighest = new Int32Array(count + 1).fill(-1)
  const stackState: State[] = []
  let depth = 0
  let completedDone = 0
  let state = model.initial
  /** An entry; or, once past the first return, minus one minus an open operation's number. */
  let cursor = next[0] ?? 0
  let arrived = true
  let stepsTaken = 0

  const bestOrder = new Int32Array(count)
  let bestDepth = 0
  let bestCompleted = -1
  let bestStuck: number[] = []
  /** Up to here the best order and the stack agree. */
  let agreed = 0

  function matters(place: number): boolean {
    const operation = history[place]
    if (operation === undefined) return false
    return (
      operation.returnedAt !== Number.POSITIVE_INFINITY ||
      model.reads?.(operation.input, undefined) !== true
    )
  }

  function unlink(operation: number): void {
    for (const entry of [callOf[operation] ?? 0, returnOf[operation] ?? 0]) {
      const before = previous[entry] ?? 0
      const after = next[entry] ?? 0
      next[before] = after
      previous[after] = before
    }
  }

  function relink(operation: number): void {
    for (const entry of [returnOf[operation] ?? 0, callOf[operation] ?? 0]) {
      next[previous[entry] ?? 0] = entry
      previous[next[entry] ?? 0] = entry
    }
  }

  function flip(operation: number): void {
    const at = operation < completed ? operation : operation - completed
    const words = operation < completed ? done.words : done.openWords
    words[at >> 5] = (words[at >> 5] ?? 0) ^ (1 << (at & 31))
    done.hash ^= mixed(operation + 0x5bd1e995)
  }

  function place(operation: number, after: State, forGood: boolean): void {
    stackOperation[depth] = operation
    stackForGood[depth] = forGood ? 1 : 0
    stackState[depth] = state
    stackHighest[depth + 1] =
      operation < completed
        ? Math.max(stackHighest[depth] ?? -1, operation)
        : (stackHighest[depth] ?? -1)
    depth += 1
    state = after
    flip(operation)
    if (operation < completed) {
      completedDone += 1
      unlink(operation)
      return
    }
    const open = operation - completed
    const before = openPrevious[open] ?? 0
    const following = openNext[open] ?? 0
    openNext[before] = following
    openPrevious[following] = before
  }

  function takeBack(): number {
    depth -= 1
    if (depth < agreed) agreed = depth
    const operation = stackOperation[depth] ?? 0
    state = stackState[depth] as State
    flip(operation)
    if (operation < completed) {
      completedDone -= 1
      relink(operation)
      return operation
    }
    const open = operation - completed
    openNext[openPrevious[open] ?? 0] = open
    openPrevious[openNext[open] ?? 0] = open
    return operation
  }

  /** Places every read that fits. @returns steps spent. */
  function placeReads(): number {
    let spent = 0
    for (let entry = next[0] ?? 0; entry !== 0 && isReturn[entry] === 0; entry = next[entry] ?? 0) {
      const number = operationOf[entry] ?? 0
      if (isRead[number] === 0) continue
      spent += 1
      const operation = operations[number]
      if (operation === undefined) continue
      const after = model.step(state, operation.input, operation.output)
      if (after !== undefined) place(number, after, true)
    }
    return spent
  }

  /** Remembers how far this order came, before part of it is taken back. */
  function noteBest(): void {
    if (completedDone <= bestCompleted) return
    bestCompleted = completedDone
    bestDepth = depth
    for (let at = agreed; at < depth; at++) bestOrder[at] = stackOperation[at] ?? 0
    agreed = depth
    bestStuck = []
    for (let entry = next[0] ?? 0; entry !== 0 && isReturn[entry] === 0; entry = next[entry] ?? 0) {
      bestStuck.push(operationOf[entry] ?? 0)
    }
  }

  /** @returns false if there is nothing to take back. */
  function goBack(): boolean {
    noteBest()
    while (depth > 0) {
      const forGood = stackForGood[depth - 1] === 1
      const operation = takeBack()
      if (forGood) continue
      cursor =
        operation < completed
          ? (next[callOf[operation] ?? 0] ?? 0)
          : -1 - (openNext[operation - completed] ?? 0)
      return true
    }
    return false
  }

  /** Where has this been before? */
  function known(): 'new' | 'known' | 'full' {
    const first = operationOf[next[0] ?? 0] ?? 0
    done.firstWord = first >> 5
    done.lastWord = Math.max(done.firstWord, (stackHighest[depth] ?? -1) >> 5)
    return places.add(done, state, model.hash(state))
  }

  /** The next operation that may come now; undefined if there is none left to try. */
  function candidate(): number | undefined {
    while (cursor > 0 && isReturn[cursor] === 0) {
      const number = operationOf[cursor] ?? 0
      cursor = next[cursor] ?? 0
      if (isRead[number] === 0) return number
    }
    if (cursor >= 0) cursor = -1 - (openNext[openCount] ?? 0)
    const open = -1 - cursor
    if (open === openCount) return undefined
    const called = operations[completed + open]?.calledAt ?? 0
    if (called > (time[firstReturn()] ?? 0)) return undefined
    cursor = -1 - (openNext[open] ?? 0)
    return completed + open
  }

  function firstReturn(): number {
    let entry = next[0] ?? 0
    while (entry !== 0 && isReturn[entry] === 0) entry = next[entry] ?? 0
    return entry
  }

  function tryNext(): 'violation' | undefined {
    const number = candidate()
    if (number === undefined) return goBack() ? undefined : 'violation'
    const operation = operations[number]
    if (operation === undefined) return undefined
    const after = model.step(state, operation.input, operation.output)
    if (after === undefined) return undefined
    if (number >= completed && model.equal(after, state)) return undefined
    place(number, after, false)
    arrived = true
    return undefined
  }

  return {
    advance(steps) {
      const until = stepsTaken + steps
      while (stepsTaken < until) {
        stepsTaken += 1
        if (arrived) {
          stepsTaken += placeReads()
          if (completedDone === completed) return 'ok'
          const place = known()
          if (place === 'full') return 'full'
          arrived = false
          cursor = next[0] ?? 0
          if (place === 'known' && !goBack()) return 'violation'
          continue
        }
        if (tryNext() !== undefined) return 'violation'
      }
      return undefined
    },
    get stepsTaken() {
      return stepsTaken
    },
    best() {
      noteBest()
      const toPlace = (operation: number): number => list.places[operation] ?? 0
      return {
        prefix: Array.from(bestOrder.subarray(0, bestDepth), toPlace),
        stuck: bestStuck.map(toPlace),
      }
    },
    get memorySize() {
      return places.size
    },
    close() {
      places.clear()
    },
  }
}
