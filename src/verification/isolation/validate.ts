/**
 * A judge may be handed anything. What is not a history of transactions is refused by naming the first
 * transaction that is wrong, before anything is inferred from it.
 */
import type { Budget } from './budget.ts'
import type { Transaction } from './transaction.ts'

export type IsolationModel = 'list-append' | 'rw-register'

/** The most transactions judged at once. */
export const transactionsMax = 2_000_000

const isScalar = (value: unknown): boolean =>
  typeof value === 'string' ||
  typeof value === 'bigint' ||
  typeof value === 'boolean' ||
  (typeof value === 'number' && !Number.isNaN(value))

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

/** What is wrong with a history, in words, or undefined. */
export function problemOf(
  history: readonly Transaction[],
  model: IsolationModel,
  budget: Budget,
): string | undefined {
  if (!Array.isArray(history)) return 'the history is not an array of transactions'
  if (history.length > transactionsMax) {
    return `the history has ${history.length} transactions; at most ${transactionsMax}`
  }
  for (const [index, transaction] of history.entries()) {
    const wrong = isRecord(transaction)
      ? problemOfTransaction(transaction, model, budget)
      : 'is not a transaction'
    if (wrong !== undefined) return `T${index} ${wrong}`
  }
  return undefined
}

function problemOfTransaction(
  transaction: Readonly<Record<string, unknown>>,
  model: IsolationModel,
  budget: Budget,
): string | undefined {
  const { process, status, steps, calledAt, returnedAt } = transaction
  if (typeof process !== 'string' && typeof process !== 'number') return 'has no process'
  if (status !== 'committed' && status !== 'aborted' && status !== 'unknown') {
    return 'has a status that is not committed, aborted or unknown'
  }
  if (typeof calledAt !== 'number' || !Number.isFinite(calledAt)) return 'has no time of call'
  if (typeof returnedAt !== 'number' || !(returnedAt >= calledAt)) return 'returned before its call'
  if (status === 'committed' && returnedAt === Number.POSITIVE_INFINITY) {
    return 'committed, but never returned'
  }
  if (!Array.isArray(steps)) return 'has no steps'
  for (const [place, step] of steps.entries()) {
    budget.spend(1)
    const wrong = isRecord(step) ? problemOfStep(step, model, budget) : 'is not a step'
    if (wrong !== undefined) return `step ${place} ${wrong}`
  }
  return undefined
}

function problemOfStep(
  { kind, key, value }: Readonly<Record<string, unknown>>,
  model: IsolationModel,
  budget: Budget,
): string | undefined {
  if (!isScalar(key)) return 'has a key that is not a text, a number or a boolean'
  const write = model === 'list-append' ? 'append' : 'write'
  if (kind === write) return isScalar(value) ? undefined : `${write}s something that is no scalar`
  if (kind !== 'read') return `is neither ${write} nor read`
  if (value === null) return undefined
  if (model === 'rw-register')
    return isScalar(value) ? undefined : 'reads something that is no scalar'
  if (!Array.isArray(value)) return 'reads something that is no list'
  budget.spend(value.length)
  return value.every(isScalar) ? undefined : 'reads a list with an element that is no scalar'
}
