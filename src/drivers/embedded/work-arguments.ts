/** What a queue accepts, checked before anything is sent to the file. */
import { InvalidArgumentError } from '../../errors.ts'
import { requireInteger, requireLength } from '../../ports/arguments.ts'
import type { ClaimRequest, QueueLimits, Settlement, WorkMessage } from '../../ports/work-store.ts'
import { requireName, requireNoNul } from './names.ts'

const dayMs = 86_400_000
const centuryMs = 36_525 * dayMs
const bodyLengthMax = 262_144
const headersMax = 32
const headersLengthMax = 8_192
const batchMax = 1_000

/** Bodies of one publication, together: they travel to the file as one value. */
export const batchLengthMax: number = 16_777_216

export function requireQueue(queue: string): void {
  requireName('queue', queue, 200)
}

export function requireLimits({ lengthMax, overflow, dedupMs }: QueueLimits): void {
  requireInteger('lengthMax', lengthMax, 1, 10_000_000)
  requireInteger('dedupMs', dedupMs, 0, 7 * dayMs)
  if (overflow === 'reject' || overflow === 'drop-oldest') return
  throw new InvalidArgumentError(
    `overflow is ${JSON.stringify(overflow)}; expected "reject" or "drop-oldest"`,
  )
}

export function requireMessages(messages: readonly WorkMessage[]): void {
  requireInteger('the number of messages', messages.length, 1, batchMax)
  let length = 0
  for (const message of messages) {
    requireMessage(message)
    length += message.body.length
  }
  if (length <= batchLengthMax) return
  throw new InvalidArgumentError(
    `the bodies are ${length} characters together; expected at most ${batchLengthMax}`,
  )
}

function requireMessage({ id, body, kind, headers, key, delayMs, priority }: WorkMessage): void {
  requireName('id', id, 200)
  requireName('kind', kind, 200)
  requireLength('body', body, bodyLengthMax)
  requireWhole('body', body)
  if (headers !== undefined) requireHeaders(headers)
  if (delayMs !== undefined) requireInteger('delayMs', delayMs, 0, centuryMs)
  if (priority !== undefined) requireInteger('priority', priority, 0, 9)
  if (key === undefined) return
  requireName('key', key, 200)
  if (priority !== undefined) {
    throw new InvalidArgumentError(
      `message "${id}" has a key and a priority; expected one of them: a priority would break the order`,
    )
  }
}

function requireHeaders(headers: Readonly<Record<string, string>>): void {
  const pairs = Object.entries(headers)
  requireInteger('the number of headers', pairs.length, 0, headersMax)
  let length = 0
  for (const [name, value] of pairs) {
    requireLength(`header "${name}"`, value, headersLengthMax)
    requireWhole(`header "${name}"`, name + value)
    length += name.length + value.length
  }
  requireInteger('the length of all headers', length, 0, headersLengthMax)
}

// Half a surrogate pair has no UTF-8, so it would come back as another text.
function requireWhole(subject: string, text: string): void {
  if (text.isWellFormed()) return
  throw new InvalidArgumentError(`${subject} has half a surrogate pair; expected valid Unicode`)
}

export function requireClaim({ limit, leaseMs, consumer, kinds }: ClaimRequest): void {
  requireInteger('limit', limit, 1, batchMax)
  requireLease(leaseMs)
  requireLength('consumer', consumer, 200)
  requireInteger('the number of kinds', kinds.length, 1, batchMax)
  for (const kind of kinds) requireName('kind', kind, 200)
}

export function requireLease(leaseMs: number): void {
  requireInteger('leaseMs', leaseMs, 100, dayMs)
}

export function requireSettlements(settlements: readonly Settlement[]): void {
  requireInteger('the number of settlements', settlements.length, 1, batchMax)
  for (const settlement of settlements) {
    requireLength('receipt', settlement.receipt, 200)
    if (settlement.outcome === 'done') continue
    if (settlement.outcome === 'retry') {
      requireInteger('delayMs', settlement.delayMs, 0, centuryMs)
    } else if (settlement.outcome !== 'dead') {
      const { outcome } = settlement as { readonly outcome: unknown }
      throw new InvalidArgumentError(
        `outcome is ${JSON.stringify(outcome)}; expected "done", "retry" or "dead"`,
      )
    }
    if (typeof settlement.reason !== 'string') {
      throw new InvalidArgumentError(`reason is a ${typeof settlement.reason}; expected text`)
    }
  }
}

export function requireReceipts(receipts: readonly string[]): void {
  requireInteger('the number of receipts', receipts.length, 1, batchMax)
  for (const receipt of receipts) requireLength('receipt', receipt, 200)
}

export function requireIds(ids: readonly string[]): void {
  requireInteger('the number of ids', ids.length, 1, batchMax)
  for (const id of ids) requireNoNul('id', id)
}
