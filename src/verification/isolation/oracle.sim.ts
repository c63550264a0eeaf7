/**
 * The judge's judge: tries every order of a handful of transactions, and every choice of which unknown
 * ones happened, and asks of each whether one client alone would have seen the same. Exponential, obvious,
 * and therefore right.
 */
import type { ListTransaction, RegisterTransaction, Scalar, Transaction } from './transaction.ts'

type State = ReadonlyMap<Scalar, readonly Scalar[]>

/** The state after a transaction alone, or undefined if it would have seen something else. */
function after(state: State, { steps, status }: Transaction): State | undefined {
  const next = new Map(state)
  for (const step of steps) {
    const value = next.get(step.key) ?? []
    if (step.kind === 'append') next.set(step.key, [...value, step.value])
    else if (step.kind === 'write') next.set(step.key, [step.value])
    else if (status === 'committed' && !sees(step.value, value)) return undefined
  }
  return next
}

function sees(read: Scalar | null | readonly Scalar[], value: readonly Scalar[]): boolean {
  if (typeof read !== 'object') return value.length === 1 && value[0] === read
  const list = read ?? []
  return list.length === value.length && list.every((element, place) => element === value[place])
}

/**
 * Is there an order of all committed and any unknown transactions that explains every read?
 * `mustPrecede` adds orders to be kept.
 */
export function explainable(
  history: readonly (ListTransaction | RegisterTransaction)[],
  mustPrecede: (first: Transaction, second: Transaction) => boolean,
): boolean {
  function search(state: State, left: readonly Transaction[]): boolean {
    if (left.every(({ status }) => status === 'unknown')) return true
    return left.some((transaction) => {
      const others = left.filter((other) => other !== transaction)
      if (others.some((other) => mustPrecede(other, transaction))) return false
      const next = after(state, transaction)
      return next !== undefined && search(next, others)
    })
  }
  return search(
    new Map(),
    history.filter(({ status }) => status !== 'aborted'),
  )
}

/**
 * Is there a choice of moments, at which each transaction takes its snapshot and at which it commits, that
 * explains every read, with no two writers of one key at the same time (first committer wins)?
 */
export function explainableBySnapshots(
  history: readonly ListTransaction[],
  mustPrecede: (first: Transaction, second: Transaction) => boolean,
): boolean {
  type Open = { readonly transaction: ListTransaction; readonly clash: ReadonlySet<Scalar> }
  const writesOf = ({ steps }: ListTransaction): readonly Scalar[] =>
    steps.flatMap((step) => (step.kind === 'append' ? [step.key] : []))

  function search(
    state: State,
    waiting: readonly ListTransaction[],
    open: readonly Open[],
  ): boolean {
    if (waiting.length === 0 && open.length === 0) return true
    const begins = waiting.some((transaction) => {
      const others = waiting.filter((other) => other !== transaction)
      const unfinished = [...others, ...open.map((one) => one.transaction)]
      if (unfinished.some((other) => mustPrecede(other, transaction))) return false
      if (after(state, transaction) === undefined) return false
      return search(state, others, [...open, { transaction, clash: new Set() }])
    })
    if (begins) return true
    return open.some((one) => {
      const writes = writesOf(one.transaction)
      if (writes.some((key) => one.clash.has(key))) return false
      const next = after(state, { ...one.transaction, status: 'unknown' })
      const rest = open
        .filter((other) => other !== one)
        .map((other) => ({ ...other, clash: new Set([...other.clash, ...writes]) }))
      return next !== undefined && search(next, waiting, rest)
    })
  }
  return search(new Map(), history, [])
}

export const anyOrder = (): boolean => false

/** Who never returns precedes nobody, so it may also be left for after the end. */
export const realTime = (first: Transaction, second: Transaction): boolean =>
  first.returnedAt < second.calledAt

export const sessions = (first: Transaction, second: Transaction): boolean =>
  first.process === second.process && realTime(first, second)
