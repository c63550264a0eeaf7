/**
 * How values and transactions are named in a verdict, short enough to be read: `T7` is the transaction at
 * place 7 of the history, a long list shows its ends, a long text its start.
 */
import type { ListStep, RegisterStep, Scalar, Transaction } from './transaction.ts'

const textMax = 40
const elementsShown = 3
const stepsShown = 12

export function scalarText(value: Scalar | null): string {
  if (value === null) return 'nil'
  if (typeof value === 'string') {
    return value.length <= textMax ? value : `${value.slice(0, textMax)}…`
  }
  return String(value)
}

/** `[1 2 … 8 9]` */
export function listText(list: readonly Scalar[] | null): string {
  if (list === null || list.length === 0) return '[]'
  const texts = (part: readonly Scalar[]): string => part.map(scalarText).join(' ')
  if (list.length <= 2 * elementsShown + 1) return `[${texts(list)}]`
  return `[${texts(list.slice(0, elementsShown))} … ${texts(list.slice(-elementsShown))}]`
}

export const nameText = (transaction: number): string => `T${transaction}`

export function stepText(step: ListStep | RegisterStep): string {
  const key = scalarText(step.key)
  if (step.kind === 'append') return `append ${scalarText(step.value)} to ${key}`
  if (step.kind === 'write') return `write ${key} = ${scalarText(step.value)}`
  const value = step.value
  return `read ${key} = ${typeof value === 'object' && value !== null ? listText(value) : scalarText(value)}`
}

/** `T7 (process 2): read x = [1 2], append 3 to x` */
export function transactionText(transaction: Transaction, index: number): string {
  const shown = transaction.steps.slice(0, stepsShown).map(stepText)
  if (transaction.steps.length > stepsShown) shown.push('…')
  const status = transaction.status === 'committed' ? '' : `, ${transaction.status}`
  return `T${index} (process ${transaction.process}${status}): ${shown.join(', ')}`
}
