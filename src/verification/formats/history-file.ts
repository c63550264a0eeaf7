/** Which notation a recorded history is in, and the events in it. */
import { readJepsenEdn } from './jepsen-edn.ts'
import { readJepsenLog } from './jepsen-log.ts'
import { readJsonLines } from './json-lines.ts'
import type { RecordedEvent } from './recorded.ts'

/** `kv-text` is read like `jepsen-edn`; it differs in that a key never put reads as the empty text. */
export type HistoryFormat = 'jepsen-edn' | 'jepsen-log' | 'kv-text' | 'jsonl'

export const historyFormats: readonly HistoryFormat[] = [
  'jepsen-edn',
  'jepsen-log',
  'kv-text',
  'jsonl',
]

const kvEvent = /^\{:process \d+, :type :\w+, :f :(get|put|append), :key "[^"]*", :value ("|nil\})/

/** A guess from the first thousand characters. A wrong one ends in an error, not in a wrong verdict. */
export function guessFormat(start: string): HistoryFormat {
  const text = start.trimStart()
  if (/^\{\s*["}]/.test(text)) return 'jsonl'
  if (kvEvent.test(text)) return 'kv-text'
  return /^[[({#;]/.test(text) ? 'jepsen-edn' : 'jepsen-log'
}

/** One event after another, from text in pieces of any size. @throws HistoryFormatError */
export function readHistory(
  chunks: Iterable<string>,
  format: HistoryFormat,
): Generator<RecordedEvent, void, undefined> {
  if (format === 'jsonl') return readJsonLines(chunks)
  return format === 'jepsen-log' ? readJepsenLog(chunks) : readJepsenEdn(chunks)
}
