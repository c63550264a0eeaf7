/**
 * Jepsen runs many small tests in one, each on a key of its own (`jepsen.independent`), and writes the key into the
 * value: `:value [key value]`. Nothing in the file says so; but then every call carries a pair, and reads, which
 * otherwise ask with nil, carry a key and nil. Each key is a part of its own.
 */
import { canonical } from './canonical.ts'
import type { EdnValue } from './edn.ts'
import { HistoryFormatError } from './history-format-error.ts'
import type { RecordedOperation } from './recorded.ts'

/**
 * The same operations, with keys of their own if their values carry them.
 * @throws HistoryFormatError an answer is about another key than the call
 */
export function splitByKey(recorded: readonly RecordedOperation[]): readonly RecordedOperation[] {
  // The value of a compare-and-set is a pair anyway, so it tells nothing.
  const telling = recorded.some(({ f, asked }) => f !== 'cas' && pairOf(asked)?.[1] === null)
  const isSplit = telling && recorded.every(({ key, asked }) => key === undefined && pairOf(asked))
  return isSplit ? recorded.map(split) : recorded
}

function split(operation: RecordedOperation): RecordedOperation {
  const [key = null, asked = null] = pairOf(operation.asked) ?? []
  const named = { ...operation, key: canonical(key), asked }
  if (operation.end !== 'ok') return named
  const [sameKey = null, answered = null] = pairOf(operation.answered) ?? []
  if (canonical(sameKey) !== named.key) {
    throw new HistoryFormatError(operation.line, `the answer is not about key ${named.key}`)
  }
  return { ...named, answered }
}

function pairOf(value: EdnValue): readonly EdnValue[] | undefined {
  return Array.isArray(value) && value.length === 2 ? value : undefined
}
