/**
 * The lines that Jepsen writes to its log:
 *
 *     INFO  jepsen.util - 0  :invoke  :write  3
 *
 * Lines of other loggers, and of processes that are no clients (the nemesis), are left out; but a
 * `jepsen.util` line of a client that cannot be read is an error.
 */
import { type EdnValue, readEdn } from './edn.ts'
import { HistoryFormatError } from './history-format-error.ts'
import { readLines } from './lines.ts'
import type { RecordedEvent } from './recorded.ts'

const clientLine = /\bjepsen\.util\s+-\s+(\d+)\s+(.*)$/
const eventOf = /^:(invoke|ok|fail|info)\s+:([\w-]+)\s*(.*)$/

/** @throws HistoryFormatError */
export function* readJepsenLog(
  chunks: Iterable<string>,
): Generator<RecordedEvent, void, undefined> {
  for (const { line, text } of readLines(chunks)) {
    const [, process, said] = clientLine.exec(text) ?? []
    if (process === undefined || said === undefined) continue
    const [, type, f, value] = eventOf.exec(said) ?? []
    if (type === undefined || f === undefined || value === undefined) {
      throw new HistoryFormatError(line, `no event: ${said.slice(0, 80)}`)
    }
    yield {
      line,
      process: Number(process),
      type: type as RecordedEvent['type'],
      f,
      value: value === '' ? null : readValue(value, line),
    }
  }
}

function readValue(text: string, line: number): EdnValue {
  try {
    // In a vector of its own, so that a value which is a vector is not taken for a list of values.
    const values = Array.from(readEdn(['[', text, ']']), ({ value }) => value)
    if (values.length === 1) return values[0] ?? null
  } catch (error) {
    if (!(error instanceof HistoryFormatError)) throw error
  }
  throw new HistoryFormatError(line, `no value: ${text.slice(0, 80)}`)
}
