/**
 * A list that is only appended to tells its own history: whoever reads `[1 2 3]` has seen that 1 came
 * first, then 2, then 3. So the longest read of a key fixes the order of its versions, every shorter read
 * is a place in it, and each element, being unique, names the transaction that wrote it.
 */
import type { Budget } from './budget.ts'
import type { ListTransaction, Scalar } from './transaction.ts'

export interface ListKey {
  readonly key: Scalar
  /** The first of the longest reads of committed transactions, each element once. */
  order: readonly Scalar[]
  /** The place of each element in `order`. */
  readonly places: Map<Scalar, number>
  /** Who appended each element; also transactions that aborted. */
  readonly writers: Map<Scalar, number>
  /** Elements after which the same transaction appended another. */
  readonly intermediate: Set<Scalar>
  /** `readers[n]`: committed transactions that read the list when it ended with the n-th element. */
  readonly readers: number[][]
  /** Is every read of a committed transaction a start of `order`? Known once all have been checked. */
  consistent: boolean
  /** Elements that no read shows, by who appended them, if that may have happened. */
  readonly unseen: Scalar[]
}

export interface ListIndex {
  readonly keys: ReadonlyMap<Scalar, ListKey>
  /** Why nothing can be inferred: an element was appended twice. */
  readonly ambiguous: string | undefined
}

function emptyKey(key: Scalar): ListKey {
  return {
    key,
    order: [],
    places: new Map(),
    writers: new Map(),
    intermediate: new Set(),
    readers: [],
    consistent: true,
    unseen: [],
  }
}

/** Does this read of the list show the element? */
export function shows(list: ListKey, read: readonly Scalar[] | null, element: Scalar): boolean {
  if (!list.consistent) return read?.includes(element) === true
  return (list.places.get(element) ?? Number.POSITIVE_INFINITY) < (read?.length ?? 0)
}

export function listIndex(history: readonly ListTransaction[], budget: Budget): ListIndex {
  const keys = new Map<Scalar, ListKey>()
  const listOf = (key: Scalar): ListKey => {
    const known = keys.get(key)
    if (known !== undefined) return known
    const created = emptyKey(key)
    keys.set(key, created)
    return created
  }
  for (const [index, { steps, status }] of history.entries()) {
    const lastAppended = new Map<Scalar, Scalar>()
    for (const step of steps) {
      budget.spend(1)
      const list = listOf(step.key)
      if (step.kind === 'append') {
        const other = list.writers.get(step.value)
        if (other !== undefined) return { keys, ambiguous: twice(step, other, index) }
        list.writers.set(step.value, index)
        const earlier = lastAppended.get(step.key)
        if (earlier !== undefined) list.intermediate.add(earlier)
        lastAppended.set(step.key, step.value)
      } else if (status === 'committed' && (step.value?.length ?? 0) > list.order.length) {
        list.order = step.value ?? []
      }
    }
  }
  for (const list of keys.values()) placeElements(list, history, budget)
  indexReaders(keys, history, budget)
  return { keys, ambiguous: undefined }
}

function twice(step: { key: Scalar; value: Scalar }, first: number, second: number): string {
  const what = `${String(step.value)} was appended to ${String(step.key)}`
  return `${what} by T${first} and by T${second}: elements must be unique for each key`
}

function placeElements(list: ListKey, history: readonly ListTransaction[], budget: Budget): void {
  budget.spend(list.order.length + list.writers.size)
  for (const element of list.order) {
    if (!list.places.has(element)) list.places.set(element, list.places.size)
  }
  if (list.places.size < list.order.length) list.order = [...list.places.keys()]
  for (const [element, writer] of list.writers) {
    if (!list.places.has(element) && history[writer]?.status !== 'aborted') {
      list.unseen.push(element)
    }
  }
}

function indexReaders(
  keys: ReadonlyMap<Scalar, ListKey>,
  history: readonly ListTransaction[],
  budget: Budget,
): void {
  for (const [index, { steps, status }] of history.entries()) {
    if (status !== 'committed') continue
    budget.spend(steps.length)
    for (const step of steps) {
      if (step.kind !== 'read') continue
      const list = keys.get(step.key)
      const last = step.value?.at(-1)
      const version = last === undefined ? 0 : (list?.places.get(last) ?? -2) + 1
      if (list === undefined || version < 0) continue
      const readers = list.readers[version] ?? []
      list.readers[version] = readers
      if (readers.at(-1) !== index) readers.push(index)
    }
  }
}
