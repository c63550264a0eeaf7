/**
 * Transactions out of a recorded file, in Elle's notation: the value of an event is a list of steps,
 * `[[:append :x 1] [:r :y [1 2]]]` for lists and `[[:w :x 1] [:r :y 2]]` for registers; in JSON lines
 * `[["append","x",1],["r","y",[1,2]]]`. What was asked is taken from the call, what was seen from the end.
 * The place in the file is the time.
 *
 * A file may hold ends without calls, as Elle's own examples do: such a transaction may have been called at
 * any time since its process's last end, so it claims no real-time order it does not have. Where the file does not
 * even name a process, each transaction is a process of its own and overlaps all others.
 */
import { canonical } from '../formats/canonical.ts'
import type { EdnValue } from '../formats/edn.ts'
import { HistoryFormatError } from '../formats/history-format-error.ts'
import type { RecordedEvent } from '../formats/recorded.ts'
import type { ListStep, RegisterStep, Scalar, Transaction } from './transaction.ts'
import { type IsolationModel, transactionsMax } from './validate.ts'

const stepsMax = 100_000

/** In the order of their calls. @throws HistoryFormatError with the line of what cannot be read */
export function transactionsOf(
  events: Iterable<RecordedEvent>,
  model: IsolationModel,
): readonly Transaction[] {
  const history: Transaction[] = []
  const open = new Map<number | string, number>()
  const lastEnd = new Map<number | string, number>()
  let now = 0
  for (const event of events) {
    now += 1
    const { line, process, type } = event
    const place = open.get(process)
    const isNameless = process === ''
    if (history.length > transactionsMax) {
      throw new HistoryFormatError(line, `more than ${transactionsMax} transactions`)
    }
    if (type === 'invoke') {
      if (place !== undefined) {
        throw new HistoryFormatError(line, `process ${process} calls twice at once`)
      }
      open.set(process, history.length)
      const steps = stepsOf(event, model)
      history.push({ process, status: 'unknown', steps, calledAt: now, returnedAt: Infinity })
      continue
    }
    const called = place === undefined ? undefined : history[place]
    const calledAt = called?.calledAt ?? lastEnd.get(process) ?? 0
    const asked = called?.steps ?? stepsOf(event, model)
    open.delete(process)
    lastEnd.set(process, now)
    const at = place ?? history.length
    const transaction = ended(event, model, asked, calledAt, now)
    history[at] = isNameless ? anyTime(transaction, at) : transaction
  }
  return history
}

function anyTime(transaction: Transaction, at: number): Transaction {
  const open = transaction.returnedAt === Infinity
  const returnedAt = open ? Infinity : Number.MAX_SAFE_INTEGER
  return { ...transaction, process: `nameless ${at}`, calledAt: 0, returnedAt }
}

function ended(
  event: RecordedEvent,
  model: IsolationModel,
  asked: Transaction['steps'],
  calledAt: number,
  now: number,
): Transaction {
  const { process, type } = event
  if (type === 'ok') {
    const steps = stepsOf(event, model)
    return { process, status: 'committed', steps, calledAt, returnedAt: now }
  }
  if (type === 'fail') {
    return { process, status: 'aborted', steps: asked, calledAt, returnedAt: now }
  }
  return { process, status: 'unknown', steps: asked, calledAt, returnedAt: Infinity }
}

function stepsOf({ line, value }: RecordedEvent, model: IsolationModel): Transaction['steps'] {
  if (!Array.isArray(value)) throw new HistoryFormatError(line, 'a transaction is a list of steps')
  if (value.length > stepsMax) throw new HistoryFormatError(line, `more than ${stepsMax} steps`)
  return value.map((step: EdnValue) => stepOf(step, model, line))
}

function stepOf(step: EdnValue, model: IsolationModel, line: number): ListStep | RegisterStep {
  if (!Array.isArray(step) || step.length < 2 || step.length > 3) {
    throw new HistoryFormatError(line, 'a step is [f key value]')
  }
  const [f, name, value = null]: readonly EdnValue[] = step
  const kind = typeof f === 'symbol' ? Symbol.keyFor(f) : f
  const key = scalarOf(name ?? null, line)
  if (kind === 'r' || kind === 'read') {
    if (model === 'rw-register') {
      return { kind: 'read', key, value: value === null ? null : scalarOf(value, line) }
    }
    if (value === null) return { kind: 'read', key, value: null }
    if (!Array.isArray(value)) throw new HistoryFormatError(line, 'what was read is not a list')
    return { kind: 'read', key, value: value.map((element: EdnValue) => scalarOf(element, line)) }
  }
  if (model === 'list-append' && kind === 'append') {
    return { kind: 'append', key, value: scalarOf(value, line) }
  }
  if (model === 'rw-register' && (kind === 'w' || kind === 'write')) {
    return { kind: 'write', key, value: scalarOf(value, line) }
  }
  throw new HistoryFormatError(line, `${String(kind).slice(0, 40)} is no step of ${model}`)
}

/** Structured keys and values are compared by their canonical text. */
function scalarOf(value: EdnValue, line: number): Scalar {
  if (value === null)
    throw new HistoryFormatError(line, 'nil is no key and no value that is written')
  if (typeof value === 'symbol') return Symbol.keyFor(value) ?? ''
  if (typeof value === 'object') return canonical(value)
  if (typeof value === 'number' && Number.isNaN(value)) {
    throw new HistoryFormatError(line, 'what is not a number equals nothing')
  }
  return value
}
