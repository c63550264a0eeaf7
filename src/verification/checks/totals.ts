/**
 * Three things that can be judged by adding up. A bank in which money only moves keeps its total at every
 * instant. A counter lies between what was surely added before a read and what may have been. And an id is
 * given once.
 */
import type { History, Value } from '../history.ts'
import type { CounterInput, CounterOutput } from '../models/counter.ts'
import { type CheckReport, findings } from './findings.ts'

export type BankFinding = 'wrong total' | 'negative balance' | 'missing account'

export interface BankOptions {
  readonly accounts: readonly string[]
  readonly total: bigint
  /** Default false. */
  readonly negativeAllowed?: boolean
}

/** @param reads balances of all accounts, each read as of one instant */
export function checkBank(
  reads: readonly ReadonlyMap<string, bigint>[],
  { accounts, total, negativeAllowed = false }: BankOptions,
): CheckReport<BankFinding> {
  const found = findings<BankFinding>()
  reads.forEach((balances, index) => {
    let sum = 0n
    for (const account of accounts) {
      const balance = balances.get(account)
      if (balance === undefined) found.add('missing account', `read ${index} lacks "${account}"`)
      else if (balance < 0n && !negativeAllowed) {
        found.add('negative balance', `read ${index}: "${account}" has ${balance}`)
      }
      sum += balance ?? 0n
    }
    if (sum !== total) found.add('wrong total', `read ${index} adds up to ${sum}, not ${total}`)
  })
  return found.report(reads.length > 0)
}

export type CounterFinding = 'too low' | 'too high'

/**
 * Weaker than the linearizable counter and in time n log n: each read is judged alone. What was called and
 * had not returned when the read was called may count or not.
 */
export function checkCounter(
  history: History<CounterInput, CounterOutput>,
  initial = 0n,
): CheckReport<CounterFinding> {
  const found = findings<CounterFinding>()
  const reads = history.flatMap(({ input, output, calledAt, returnedAt }) =>
    input.type === 'read' && typeof output === 'bigint' ? [{ output, calledAt, returnedAt }] : [],
  )
  const adds = history.flatMap(({ input, calledAt, returnedAt }) =>
    input.type === 'add' ? [{ amount: input.amount, calledAt, returnedAt }] : [],
  )
  // At least: what pulls down may have happened as soon as called, what lifts must have once returned.
  const down = sums(adds.filter(({ amount }) => amount < 0n))
  const up = sums(adds.filter(({ amount }) => amount > 0n))
  for (const { output, calledAt, returnedAt } of reads) {
    const least = initial + up.returnedBefore(calledAt) + down.calledUntil(returnedAt)
    const most = initial + up.calledUntil(returnedAt) + down.returnedBefore(calledAt)
    if (output < least) found.add('too low', `read ${output} at ${calledAt}, at least ${least}`)
    if (output > most) found.add('too high', `read ${output} at ${calledAt}, at most ${most}`)
  }
  return found.report(reads.length > 0)
}

interface Added {
  readonly amount: bigint
  readonly calledAt: number
  readonly returnedAt: number
}

function sums(adds: readonly Added[]): {
  calledUntil(time: number): bigint
  returnedBefore(time: number): bigint
} {
  const called = running(adds.map(({ amount, calledAt }) => ({ amount, at: calledAt })))
  const returned = running(adds.map(({ amount, returnedAt }) => ({ amount, at: returnedAt })))
  return {
    calledUntil: (time) => called((at) => at <= time),
    returnedBefore: (time) => returned((at) => at < time),
  }
}

/** @returns the sum of those, from the earliest, whose time still passes */
function running(
  items: readonly { readonly amount: bigint; readonly at: number }[],
): (passes: (at: number) => boolean) => bigint {
  const sorted = [...items].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  const upTo = [0n]
  for (const { amount } of sorted) upTo.push((upTo.at(-1) ?? 0n) + amount)
  return (passes) => {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (passes(sorted[middle]?.at ?? 0)) low = middle + 1
      else high = middle
    }
    return upTo[low] ?? 0n
  }
}

/** @param ids all that were given out, by whomever */
export function checkUniqueIds(ids: readonly Value[]): CheckReport<'given twice'> {
  const found = findings<'given twice'>()
  const given = new Set<Value>()
  for (const id of ids) {
    if (given.has(id)) found.add('given twice', `${String(id)} was given more than once`)
    given.add(id)
  }
  return found.report(ids.length > 0)
}
