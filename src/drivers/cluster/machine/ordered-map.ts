/**
 * A map in order of key, cut into short runs like the pages of a book: finding, changing and walking cost
 * the same however long the book gets. A picture of it is a list of its pages; from then on a page that is
 * changed is copied first, so the picture can be read at leisure while the map goes on.
 *
 * Keys are compared by UTF-16 code units, on every machine the same.
 */

export interface OrderedMap<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
  /** @returns whether it was there. */
  delete(key: string): boolean
  /** Walks upwards from the first key that is `from` or above. The map must not change meanwhile. */
  from(from: string): IterableIterator<readonly [key: string, value: Value]>
  first(): readonly [key: string, value: Value] | undefined
  /** The values as they are now, in order of key. */
  picture(): Iterable<Value>
  clear(): void
  readonly size: number
}

interface Page<Value> {
  keys: string[]
  values: Value[]
  /** Part of a picture: to be copied before it is changed. */
  shared: boolean
}

const pageMax = 256

export function orderedMap<Value>(): OrderedMap<Value> {
  // No page is empty, except the only one.
  let pages: Page<Value>[] = [{ keys: [], values: [], shared: false }]
  let size = 0

  function pageFor(key: string): number {
    let low = 0
    let high = pages.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((pages[middle]?.keys[0] ?? '') <= key) low = middle
      else high = middle - 1
    }
    return low
  }

  function own(index: number): Page<Value> {
    const page = pages[index]
    if (page === undefined) throw new RangeError(`there is no page ${index}`)
    if (!page.shared) return page
    const copy = { keys: page.keys.slice(), values: page.values.slice(), shared: false }
    pages[index] = copy
    return copy
  }

  function split(index: number, { keys, values }: Page<Value>): void {
    const half = keys.length >> 1
    const upper = { keys: keys.splice(half), values: values.splice(half), shared: false }
    pages.splice(index + 1, 0, upper)
  }

  function* walk(from: string): IterableIterator<readonly [string, Value]> {
    for (let index = pageFor(from); index < pages.length; index += 1) {
      const { keys, values } = pages[index] as Page<Value>
      for (let at = placeIn(keys, from); at < keys.length; at += 1) {
        yield [keys[at] as string, values[at] as Value]
      }
    }
  }

  return {
    get(key) {
      const page = pages[pageFor(key)]
      if (page === undefined) return undefined
      const at = placeIn(page.keys, key)
      return page.keys[at] === key ? page.values[at] : undefined
    },
    set(key, value) {
      const index = pageFor(key)
      const page = own(index)
      const at = placeIn(page.keys, key)
      if (page.keys[at] === key) {
        page.values[at] = value
        return
      }
      page.keys.splice(at, 0, key)
      page.values.splice(at, 0, value)
      size += 1
      if (page.keys.length > pageMax) split(index, page)
    },
    delete(key) {
      const index = pageFor(key)
      const at = placeIn(pages[index]?.keys ?? [], key)
      if (pages[index]?.keys[at] !== key) return false
      const page = own(index)
      page.keys.splice(at, 1)
      page.values.splice(at, 1)
      size -= 1
      if (page.keys.length === 0 && pages.length > 1) pages.splice(index, 1)
      return true
    },
    from: walk,
    first() {
      const page = pages[0]
      const key = page?.keys[0]
      return page === undefined || key === undefined ? undefined : [key, page.values[0] as Value]
    },
    picture() {
      for (const page of pages) page.shared = true
      return valuesOf(pages.slice())
    },
    clear() {
      pages = [{ keys: [], values: [], shared: false }]
      size = 0
    },
    get size() {
      return size
    },
  }
}

function* valuesOf<Value>(pages: readonly Page<Value>[]): Generator<Value, void, undefined> {
  for (const { values } of pages) yield* values
}

/** Where `key` is, or would have to be put. */
function placeIn(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((keys[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
