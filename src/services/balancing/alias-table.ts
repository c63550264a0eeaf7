/**
 * Drawing an index in proportion to its weight, in one step however many there are. The weights are
 * cut up and packed into n boxes of equal size so that no box holds pieces of more than two; then a
 * draw is: choose a box, choose one of its two.
 *
 * M. D. Vose, "A linear algorithm for generating random numbers with a given distribution", 1991.
 */
export interface AliasTable {
  /** @param share uniform in [0, 1): its first part chooses the box, the rest the piece. */
  draw(share: number): number
}

/** @param weights at least one, each above 0. */
export function aliasTable(weights: readonly number[]): AliasTable {
  const count = weights.length
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  // How much of box i belongs to i itself, in shares of a box; the rest belongs to `other[i]`.
  const own = Float64Array.from(weights, (weight) => (weight * count) / total)
  const other = Int32Array.from(weights, (_, index) => index)
  const poor: number[] = []
  const rich: number[] = []
  own.forEach((share, index) => {
    ;(share < 1 ? poor : rich).push(index)
  })
  while (poor.length > 0 && rich.length > 0) {
    const [taker, giver] = [poor.pop() ?? 0, rich.pop() ?? 0]
    other[taker] = giver
    own[giver] = (own[giver] ?? 0) - (1 - (own[taker] ?? 0))
    ;((own[giver] ?? 0) < 1 ? poor : rich).push(giver)
  }
  // What is left in either list is a full box but for rounding.
  for (const index of [...poor, ...rich]) own[index] = 1

  return {
    draw(share) {
      const index = Math.floor(share * count)
      const piece = share * count - index
      return piece < (own[index] ?? 1) ? index : (other[index] ?? index)
    },
  }
}
