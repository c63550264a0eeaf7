/**
 * What is still to be placed. Taking an operation out of the lists and putting it back are each a few writes,
 * and undo each other if done in opposite order (Knuth's dancing links).
 */
import type { Operation } from '../history.ts'
import { type Entries, entries } from './entries.ts'
import type { DoneSet } from './memo.ts'
import { mixed } from './model.ts'

export interface Board<Input, Output> extends Entries<Input, Output> {
  /** Operations without the open reads, which say nothing. */
  readonly count: number
  /** Open operations by their number less `completed`, linked; the last index is head and end. */
  readonly openNext: Int32Array
  readonly openHead: number
  readonly done: DoneSet
  readonly isRead: Uint8Array
  readonly completedDone: number
  take(operation: number): void
  putBack(operation: number): void
  /** The entry of the first return: what is called after it may not come next. */
  firstReturn(): number
}

export function board<Input, Output>(
  history: readonly Operation<Input, Output>[],
  chosen: readonly number[],
  reads: (input: Input, output: Output | undefined) => boolean,
): Board<Input, Output> {
  const list = entries(
    history,
    chosen.filter((place) => {
      const operation = history[place]
      if (operation === undefined) return false
      const open = operation.returnedAt === Number.POSITIVE_INFINITY
      return !open || !reads(operation.input, undefined)
    }),
  )
  const { operations, completed, next, previous, callOf, returnOf, isReturn } = list
  const openCount = operations.length - completed
  const ring = openCount + 1
  const openNext = Int32Array.from({ length: ring }, (_, at) => (at + 1) % ring)
  const openPrevious = Int32Array.from({ length: ring }, (_, at) => (at + openCount) % ring)
  const done: DoneSet = {
    words: new Int32Array((completed >> 5) + 1),
    firstWord: 0,
    lastWord: 0,
    afterOpen: false,
    openWords: new Int32Array((openCount + 31) >> 5),
    hash: 0,
  }
  let completedDone = 0

  function unlink(entry: number): void {
    const before = previous[entry] ?? 0
    const after = next[entry] ?? 0
    next[before] = after
    previous[after] = before
  }

  function relink(entry: number): void {
    next[previous[entry] ?? 0] = entry
    previous[next[entry] ?? 0] = entry
  }

  function flip(operation: number): void {
    const at = operation < completed ? operation : operation - completed
    const words = operation < completed ? done.words : done.openWords
    words[at >> 5] = (words[at >> 5] ?? 0) ^ (1 << (at & 31))
    done.hash ^= mixed(operation + 0x5bd1e995)
  }

  return {
    ...list,
    count: operations.length,
    openNext,
    openHead: openCount,
    done,
    isRead: Uint8Array.from(operations, ({ input, output }) => (reads(input, output) ? 1 : 0)),
    get completedDone() {
      return completedDone
    },
    take(operation) {
      flip(operation)
      if (operation < completed) {
        completedDone += 1
        unlink(callOf[operation] ?? 0)
        unlink(returnOf[operation] ?? 0)
        return
      }
      const open = operation - completed
      const before = openPrevious[open] ?? 0
      const after = openNext[open] ?? 0
      openNext[before] = after
      openPrevious[after] = before
    },
    putBack(operation) {
      flip(operation)
      if (operation < completed) {
        completedDone -= 1
        relink(returnOf[operation] ?? 0)
        relink(callOf[operation] ?? 0)
        return
      }
      const open = operation - completed
      openNext[openPrevious[open] ?? 0] = open
      openPrevious[openNext[open] ?? 0] = open
    },
    firstReturn() {
      let entry = next[0] ?? 0
      while (entry !== 0 && isReturn[entry] === 0) entry = next[entry] ?? 0
      return entry
    },
  }
}
