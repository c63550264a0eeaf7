/**
 * Members that differ only in name make the same story over and over: three acceptors, six times. If an
 * exploration takes the least text over all ways to swap the names as the key, it looks at one of them.
 *
 * Sound only where the code on trial treats the names alike. Where it compares them (a tie is broken by the
 * larger name) or the first state favours one, they are not interchangeable: leave them out of `names`.
 */
import { InvalidArgumentError } from '../errors.ts'

/** All orders of these, at most 7 (5_040 orders). */
export function permutations<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  if (items.length > 7) {
    throw new InvalidArgumentError(`${items.length} items have too many orders; expected at most 7`)
  }
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  )
}

/**
 * The least of the texts that `render` gives under every way to swap `names`. Made once per exploration:
 * `const key = leastKey(['a', 'b', 'c'], (state, swapped) => …)`; `swapped` gives the name to write for a
 * name (itself, if it is not among `names`). Whatever is listed by name must be sorted after swapping.
 */
export function leastKey<State>(
  names: readonly string[],
  render: (state: State, swapped: (name: string) => string) => string,
): (state: State) => string {
  const swaps = permutations(names).map((order) => {
    const to = new Map(names.map((name, index) => [name, order[index] ?? name]))
    return (name: string): string => to.get(name) ?? name
  })
  return (state) => {
    let least: string | undefined
    for (const swapped of swaps) {
      const text = render(state, swapped)
      if (least === undefined || text < least) least = text
    }
    return least ?? ''
  }
}
