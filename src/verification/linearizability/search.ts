/**
 * The search for an order (Wing and Gong, 1993; Lowe's memory of places, 2017): take any operation that
 * may come next and that the model allows, go on, and when stuck take back the last one. It runs in slices,
 * so that many searches can take turns and each can be given up.
 *
 * Five cuts lose no order. A read that fits now is placed now, for good: later it would do nothing else.
 * An open operation that would change nothing is left out, for it need never have happened; so is one whose
 * effect the very next operation overwrites; and of two that ask the same, the earlier comes first. The
 * search ends once every completed operation has its place.
 */
import type { Operation } from '../history.ts'
import { bestOrder } from './best-order.ts'
import { board } from './board.ts'
import { type MemoPool, memo } from './memo.ts'
import type { Model } from './model.ts'
import { twins } from './twins.ts'

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
  const todo = board(history, chosen, (input, output) => model.reads?.(input, output) ?? false)
  const { operations, completed, next, previous, operationOf, isReturn, time, callOf } = todo
  const { isRead, openNext, openHead, done } = todo
  const overwrites = Uint8Array.from(operations, ({ input }) =>
    model.overwrites?.(input) === true ? 1 : 0,
  )
  const twin = twins(operations.slice(completed).map(({ input }) => input))
  const places = memo(model.equal, pool)
  const best = bestOrder(todo.count)
  let bestStuck: number[] = []

  const stackOperation = new Int32Array(todo.count)
  const stackForGood = new Uint8Array(todo.count)
  /** The largest completed operation placed, at each depth. */
  const stackHighest = new Int32Array(todo.count + 1).fill(-1)
  const stackState: State[] = []
  let depth = 0
  let state = model.initial
  /** An entry; or, once past the first return, minus one minus an open operation's number. */
  let cursor = next[0] ?? 0
  let arrived = true
  let stepsTaken = 0

  function place(operation: number, after: State, forGood: boolean): void {
    const highest = stackHighest[depth] ?? -1
    stackOperation[depth] = operation
    stackForGood[depth] = forGood ? 1 : 0
    stackState[depth] = state
    depth += 1
    stackHighest[depth] = operation < completed ? Math.max(highest, operation) : highest
    state = after
    todo.take(operation)
  }

  function takeBack(): number {
    depth -= 1
    best.shrunkTo(depth)
    const operation = stackOperation[depth] ?? 0
    state = stackState[depth] as State
    todo.putBack(operation)
    return operation
  }

  /** Places every read that fits. @returns steps spent. */
  function placeReads(): number {
    let spent = 0
    let entry = next[0] ?? 0
    while (entry !== 0 && isReturn[entry] === 0) {
      const number = operationOf[entry] ?? 0
      const operation = isRead[number] === 1 ? operations[number] : undefined
      const before = previous[entry] ?? 0
      if (operation !== undefined) {
        spent += 1
        const after = model.step(state, operation.input, operation.output)
        // Placing it takes the entry out: go on behind the one before.
        if (after !== undefined) {
          place(number, after, true)
          entry = before
        }
      }
      entry = next[entry] ?? 0
    }
    return spent
  }

  /** Remembers how far this order came, before part of it is taken back. */
  function noteBest(): void {
    if (!best.note(todo.completedDone, stackOperation, depth)) return
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
    done.afterOpen = afterOpen()
    return places.add(done, state, model.hash(state))
  }

  /** The next operation that may come now; undefined if there is none left to try. */
  function candidate(): number | undefined {
    while (cursor > 0 && isReturn[cursor] === 0) {
      const number = operationOf[cursor] ?? 0
      cursor = next[cursor] ?? 0
      if (isRead[number] === 0) return number
    }
    if (cursor >= 0) cursor = -1 - (openNext[openHead] ?? 0)
    const open = -1 - cursor
    if (open === openHead) return undefined
    const called = operations[completed + open]?.calledAt ?? 0
    if (called > (time[todo.firstReturn()] ?? 0)) return undefined
    cursor = -1 - (openNext[open] ?? 0)
    const earlier = twin[open] ?? -1
    const earlierDone = earlier < 0 || ((done.openWords[earlier >> 5] ?? 0) >> (earlier & 31)) & 1
    return earlierDone ? completed + open : candidate()
  }

  function afterOpen(): boolean {
    return depth > 0 && (stackOperation[depth - 1] ?? 0) >= completed
  }

  function tryNext(): 'violation' | undefined {
    const number = candidate()
    if (number === undefined) return goBack() ? undefined : 'violation'
    const operation = operations[number]
    if (operation === undefined) return undefined
    if (overwrites[number] === 1 && afterOpen()) return undefined
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
          if (todo.completedDone === completed) return 'ok'
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
      const toPlace = (operation: number): number => todo.places[operation] ?? 0
      return { prefix: Array.from(best.order(), toPlace), stuck: bestStuck.map(toPlace) }
    },
    get memorySize() {
      return places.size
    },
    close() {
      places.clear()
    },
  }
}
