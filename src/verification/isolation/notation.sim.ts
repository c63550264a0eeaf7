/**
 * Histories small enough for a line each. `ax1 ry12` appends 1 to x and reads y = [1 2]; `wx1 rx1 ry_`
 * writes x = 1, reads x = 1 and reads y as nobody wrote it. Before the steps may stand `!` (aborted) or
 * `?` (end unknown), and before that a process and its time: `2@10-12 rx1`.
 * Without times all transactions overlap; without processes each has its own.
 */
import type {
  ListStep,
  ListTransaction,
  RegisterStep,
  RegisterTransaction,
  Transaction,
  TransactionStatus,
} from './transaction.ts'

const status = { '!': 'aborted', '?': 'unknown', '': 'committed' } as const

function transactionOf<Step>(
  line: string,
  index: number,
  stepOf: (text: string) => Step,
): Transaction<Step> {
  const parts = /^(?:(\w+)@(\d+)-(\d+) )?([!?]?)\s*(.*)$/.exec(line)
  if (parts === null) throw new Error(`"${line}" is no transaction`)
  const [, process, from, to, mark, steps] = parts
  const ending: TransactionStatus = status[mark === '!' || mark === '?' ? mark : '']
  const returnedAt = to === undefined ? 1_000 : Number(to)
  return {
    process: process ?? `p${index}`,
    status: ending,
    calledAt: from === undefined ? 0 : Number(from),
    returnedAt: ending === 'unknown' ? Number.POSITIVE_INFINITY : returnedAt,
    steps: (steps ?? '').split(' ').filter(Boolean).map(stepOf),
  }
}

function listStep(text: string): ListStep {
  const [kind, key = '', ...digits] = text
  if (kind === 'a') return { kind: 'append', key, value: Number(digits.join('')) }
  return { kind: 'read', key, value: digits.length === 0 ? null : digits.map(Number) }
}

function registerStep(text: string): RegisterStep {
  const [kind, key = '', ...digits] = text
  const value = digits[0] === '_' ? null : Number(digits.join(''))
  if (kind === 'w') return { kind: 'write', key, value: value ?? 0 }
  return { kind: 'read', key, value }
}

export const lists = (...lines: readonly string[]): readonly ListTransaction[] =>
  lines.map((line, index) => transactionOf(line, index, listStep))

export const registers = (...lines: readonly string[]): readonly RegisterTransaction[] =>
  lines.map((line, index) => transactionOf(line, index, registerStep))
