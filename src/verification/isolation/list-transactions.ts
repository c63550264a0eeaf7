/**
 * What each transaction must see of itself, and of those it has already seen: its own appends, no more
 * and no less; nothing it has yet to write; and, once it has seen one effect of another transaction, all
 * of them (monotonic atomic view). Two that append to the same version without seeing each other have
 * lost an update.
 */
import type { Budget } from './budget.ts'
import type { Findings } from './findings.ts'
import { type ListIndex, shows } from './list-index.ts'
import type { ListTransaction, ReadListStep, Scalar } from './transaction.ts'
import { listText, nameText, scalarText } from './words.ts'

/** What a transaction knows of a list: all of it, or only how it ends. */
interface Expected {
  readonly start: readonly Scalar[] | undefined
  readonly end: Scalar[]
}

export function findListTransactionAnomalies(
  index: ListIndex,
  history: readonly ListTransaction[],
  findings: Findings,
  budget: Budget,
): void {
  const updates = new Map<Scalar, Map<string, number[]>>()
  for (const [place, transaction] of history.entries()) {
    if (transaction.status !== 'committed') continue
    const { steps } = transaction
    budget.spend(steps.length)
    collectUpdates(place, transaction, updates)
    if (steps.length < 2) continue
    findInternal(place, transaction, findings, budget)
    findFutureReads(place, transaction, index, findings, budget)
    findVanished(place, transaction, index, history, findings, budget)
  }
  for (const [key, versions] of updates) {
    for (const [version, transactions] of versions) {
      if (transactions.length < 2) continue
      const [first, second] = transactions.map(nameText)
      const words =
        `${first} and ${second} both read ${scalarText(key)} as it was ${version} ` +
        'and appended to it: one of them updated what it had not seen'
      findings.add({ name: 'lost-update', transactions, words })
    }
  }
}

function collectUpdates(
  place: number,
  { steps }: ListTransaction,
  updates: Map<Scalar, Map<string, number[]>>,
): void {
  const firstReads = new Map<Scalar, ReadListStep | undefined>()
  for (const step of steps) {
    if (step.kind === 'read') {
      if (!firstReads.has(step.key)) firstReads.set(step.key, step)
      continue
    }
    const read = firstReads.get(step.key)
    // From here on the transaction reads its own write: later reads are not of the version it updated.
    firstReads.set(step.key, undefined)
    if (read === undefined) continue
    const last = read.value?.at(-1)
    const version =
      last === undefined ? 'before any append' : `when ${typeof last} ${String(last)} was its end`
    const versions = updates.get(step.key) ?? new Map<string, number[]>()
    updates.set(step.key, versions)
    const transactions = versions.get(version) ?? []
    versions.set(version, transactions)
    transactions.push(place)
  }
}

function findInternal(
  place: number,
  { steps }: ListTransaction,
  findings: Findings,
  budget: Budget,
): void {
  const expectations = new Map<Scalar, Expected>()
  for (const step of steps) {
    const expected = expectations.get(step.key)
    if (step.kind === 'append') {
      if (expected !== undefined) expected.end.push(step.value)
      else expectations.set(step.key, { start: undefined, end: [step.value] })
      continue
    }
    const value = step.value ?? []
    budget.spend(value.length)
    if (expected !== undefined && !fits(value, expected)) {
      const wanted = listText([...(expected.start ?? ['…']), ...expected.end])
      const what = `${nameText(place)} read ${scalarText(step.key)} = ${listText(value)}`
      const words = `${what}, but after its own earlier steps it should have been ${wanted}`
      findings.add({ name: 'internal', transactions: [place], words })
      return
    }
    expectations.set(step.key, { start: value, end: [] })
  }
}

function fits(value: readonly Scalar[], { start, end }: Expected): boolean {
  const before = value.length - end.length
  if (before < 0 || (start !== undefined && before !== start.length)) return false
  return (
    (start ?? []).every((element, place) => value[place] === element) &&
    end.every((element, place) => value[before + place] === element)
  )
}

function findFutureReads(
  place: number,
  { steps }: ListTransaction,
  index: ListIndex,
  findings: Findings,
  budget: Budget,
): void {
  const reads = new Map<Scalar, ReadListStep[]>()
  for (const step of steps) {
    const earlier = reads.get(step.key) ?? []
    if (step.kind === 'read') {
      earlier.push(step)
      reads.set(step.key, earlier)
      continue
    }
    const list = index.keys.get(step.key)
    for (const read of earlier) {
      budget.spend(list?.consistent === false ? (read.value?.length ?? 0) : 1)
      if (list === undefined || !shows(list, read.value, step.value)) continue
      const what = `${nameText(place)} read ${scalarText(step.key)} = ${listText(read.value)}`
      const words = `${what} before it had itself appended ${scalarText(step.value)}`
      findings.add({ name: 'future-read', transactions: [place], words })
      return
    }
  }
}

function findVanished(
  place: number,
  { steps }: ListTransaction,
  index: ListIndex,
  history: readonly ListTransaction[],
  findings: Findings,
  budget: Budget,
): void {
  const seen = new Map<number, ReadListStep>()
  for (const step of steps) {
    if (step.kind !== 'read') continue
    const list = index.keys.get(step.key)
    if (list === undefined) continue
    for (const [writer, shown] of seen) {
      const written = history[writer]?.steps ?? []
      budget.spend(written.length + (list.consistent ? 0 : (step.value?.length ?? 0)))
      const own = written.findLast((other) => other.kind === 'append' && other.key === step.key)
      if (own?.kind !== 'append' || shows(list, step.value, own.value)) continue
      const words =
        `${nameText(place)} saw ${nameText(writer)} in ${scalarText(shown.key)} = ` +
        `${listText(shown.value)}, and later read ${scalarText(step.key)} = ` +
        `${listText(step.value)}, without the ${scalarText(own.value)} that ${nameText(writer)} appended`
      findings.add({
        name: 'observed-transaction-vanishes',
        transactions: [place, writer],
        words,
      })
      return
    }
    const last = step.value?.at(-1)
    const writer = last === undefined ? undefined : list.writers.get(last)
    const status = writer === undefined ? undefined : history[writer]?.status
    if (writer !== undefined && writer !== place && status !== 'aborted') seen.set(writer, step)
  }
}
