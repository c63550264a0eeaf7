/**
 * What all formats come down to: events, each the call of an operation or its end, in the order in which
 * they were seen. Pairs of them are the operations; the place in the file serves as the time.
 */
import type { EdnValue } from './edn.ts'
import { HistoryFormatError } from './history-format-error.ts'

export interface RecordedEvent {
  /** From 1. */
  readonly line: number
  /** '' : the file does not say who. Only transactions can be judged without. */
  readonly process: number | string
  readonly type: 'invoke' | 'ok' | 'fail' | 'info'
  /** The name of the operation: `read`, `cas`, … */
  readonly f: string
  readonly key?: string
  readonly value: EdnValue
}

export interface RecordedOperation {
  /** Where it was called. */
  readonly line: number
  readonly process: number | string
  readonly f: string
  readonly key?: string
  /** The value of the call. */
  readonly asked: EdnValue
  /** `failed`: it did not happen. `open`: nobody knows. */
  readonly end: 'ok' | 'failed' | 'open'
  /** The value of the answer: of those that ended `ok`, else null. */
  readonly answered: EdnValue
  readonly calledAt: number
  readonly returnedAt: number
}

/** Past this the operations alone would take gigabytes. */
const operationsMax = 10_000_000

/**
 * The operations in the order of their calls. One that ends in `info`, or not at all, stays open.
 * @throws HistoryFormatError an end without a call, or a second call of a process that has one open
 */
export function paired(events: Iterable<RecordedEvent>): RecordedOperation[] {
  const operations: RecordedOperation[] = []
  const open = new Map<number | string, number>()
  let time = 0
  for (const event of events) {
    time += 1
    if (event.process === '') throw new HistoryFormatError(event.line, 'no process')
    const place = open.get(event.process)
    if (event.type === 'invoke') {
      if (place !== undefined) {
        throw new HistoryFormatError(event.line, `process ${event.process} calls twice at once`)
      }
      if (operations.length >= operationsMax) {
        throw new HistoryFormatError(event.line, `more than ${operationsMax} operations`)
      }
      open.set(event.process, operations.length)
      operations.push(called(event, time))
      continue
    }
    const operation = place === undefined ? undefined : operations[place]
    if (place === undefined || operation === undefined) {
      throw new HistoryFormatError(event.line, `process ${event.process} ends nothing`)
    }
    if (operation.f !== event.f) {
      throw new HistoryFormatError(event.line, `"${operation.f}" ends as "${event.f}"`)
    }
    open.delete(event.process)
    if (event.type !== 'info') operations[place] = ended(operation, event, time)
  }
  return operations
}

function called(event: RecordedEvent, calledAt: number): RecordedOperation {
  const { line, process, f, key, value } = event
  return {
    line,
    process,
    f,
    ...(key === undefined ? {} : { key }),
    asked: value,
    end: 'open',
    answered: null,
    calledAt,
    returnedAt: Number.POSITIVE_INFINITY,
  }
}

function ended(
  operation: RecordedOperation,
  event: RecordedEvent,
  returnedAt: number,
): RecordedOperation {
  if (event.type === 'fail') return { ...operation, end: 'failed', returnedAt }
  return { ...operation, end: 'ok', answered: event.value, returnedAt }
}
