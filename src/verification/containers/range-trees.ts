/** Two trees over a row of numbers that answer, in logarithmic time, what a stack's judge asks of a stretch of it. */

export interface LargestTree {
  set(index: number, value: number): void
  valueAt(index: number): number
  /** Of the stretch from `from` up to, not including, `until`: where the largest stands; -1 if all are -Infinity. */
  largest(from: number, until: number): number
}

/** All are -Infinity at first. */
export function largestTree(size: number): LargestTree {
  const values = new Float64Array(size).fill(Number.NEGATIVE_INFINITY)
  /** Of each inner node, where in its stretch the largest stands. Leaves are at `size` and up. */
  const best = new Int32Array(2 * size)
  for (let index = 0; index < size; index++) best[size + index] = index
  const larger = (one: number, other: number): number =>
    other < 0 || (one >= 0 && (values[one] ?? 0) >= (values[other] ?? 0)) ? one : other
  for (let node = size - 1; node > 0; node--) {
    best[node] = larger(best[2 * node] ?? 0, best[2 * node + 1] ?? 0)
  }
  return {
    set(index, value) {
      values[index] = value
      for (let node = (index + size) >> 1; node > 0; node >>= 1) {
        best[node] = larger(best[2 * node] ?? 0, best[2 * node + 1] ?? 0)
      }
    },
    valueAt: (index) => values[index] ?? Number.NEGATIVE_INFINITY,
    largest(from, until) {
      let found = -1
      let [low, high] = [from + size, until + size]
      for (; low < high; low >>= 1, high >>= 1) {
        if (low & 1) found = larger(found, best[low++] ?? 0)
        if (high & 1) found = larger(found, best[--high] ?? 0)
      }
      return found >= 0 && (values[found] ?? 0) > Number.NEGATIVE_INFINITY ? found : -1
    },
  }
}

export interface CoverTree {
  /** Covers each place from `from` up to, not including, `until` `times` more; less if negative. */
  cover(from: number, until: number, times: number): void
  /** A place of the stretch that nothing covers, or -1. */
  bare(from: number, until: number): number
}

/** Nothing is covered at first. */
export function coverTree(places: number): CoverTree {
  let size = 1
  while (size < places) size *= 2
  /** Least cover within the node, the node's own part included, those above it not. */
  const least = new Int32Array(2 * size)
  const own = new Int32Array(2 * size)

  function add(
    node: number,
    low: number,
    high: number,
    from: number,
    until: number,
    times: number,
  ): void {
    if (until <= low || high <= from) return
    if (from <= low && high <= until) {
      least[node] = (least[node] ?? 0) + times
      own[node] = (own[node] ?? 0) + times
      return
    }
    const middle = (low + high) >> 1
    add(2 * node, low, middle, from, until, times)
    add(2 * node + 1, middle, high, from, until, times)
    least[node] = Math.min(least[2 * node] ?? 0, least[2 * node + 1] ?? 0) + (own[node] ?? 0)
  }

  function find(node: number, low: number, high: number, from: number, until: number): number {
    if (until <= low || high <= from || (least[node] ?? 0) > 0) return -1
    if (high - low === 1) return low
    // What the node itself has, all below it have.
    if ((own[node] ?? 0) > 0) return -1
    const middle = (low + high) >> 1
    const found = find(2 * node, low, middle, from, until)
    return found >= 0 ? found : find(2 * node + 1, middle, high, from, until)
  }

  return {
    cover(from, until, times) {
      if (from < until) add(1, 0, size, from, until, times)
    },
    bare: (from, until) => (from < until ? find(1, 0, size, from, until) : -1),
  }
}
