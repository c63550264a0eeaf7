/**
 * The longest order that the search has found, kept up to date at a cost of what changed since, not of its
 * length: a search that hardly ever goes back must not copy a million operations each time it does.
 */
export interface BestOrder {
  /** The stack shrinks to this depth. */
  shrunkTo(depth: number): void
  /** @returns whether this order is longer than any before */
  note(completedDone: number, stack: Int32Array, depth: number): boolean
  order(): Int32Array
}

export function bestOrder(count: number): BestOrder {
  const kept = new Int32Array(count)
  let keptDepth = 0
  let completed = -1
  /** Up to here what is kept and the stack agree. */
  let agreed = 0
  return {
    shrunkTo(depth) {
      if (depth < agreed) agreed = depth
    },
    note(completedDone, stack, depth) {
      if (completedDone <= completed) return false
      completed = completedDone
      kept.set(stack.subarray(agreed, depth), agreed)
      keptDepth = depth
      agreed = depth
      return true
    },
    order: () => kept.subarray(0, keptDepth),
  }
}
