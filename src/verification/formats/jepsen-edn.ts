/**
 * Jepsen's `history.edn`: maps with `:process`, `:type`, `:f` and `:value`, one after another or in one
 * vector, in the order in which they happened. Also the text of Porcupine's key-value tests, which adds
 * `:key`.
 */
import { canonical } from './canonical.ts'
import { type EdnForm, type EdnValue, readEdn } from './edn.ts'
import { HistoryFormatError } from './history-format-error.ts'
import type { RecordedEvent } from './recorded.ts'

const named = {
  process: Symbol.for('process'),
  type: Symbol.for('type'),
  f: Symbol.for('f'),
  key: Symbol.for('key'),
  value: Symbol.for('value'),
}
const types = new Map<EdnValue | undefined, RecordedEvent['type']>([
  [Symbol.for('invoke'), 'invoke'],
  [Symbol.for('ok'), 'ok'],
  [Symbol.for('fail'), 'fail'],
  [Symbol.for('info'), 'info'],
])

/** Events of processes that are no clients (`:nemesis`) are left out. @throws HistoryFormatError */
export function* readJepsenEdn(
  chunks: Iterable<string>,
): Generator<RecordedEvent, void, undefined> {
  for (const form of readEdn(chunks)) {
    const event = eventOf(form)
    if (event !== undefined) yield event
  }
}

function eventOf({ line, value }: EdnForm): RecordedEvent | undefined {
  if (!(value instanceof Map)) throw new HistoryFormatError(line, 'an event is a map')
  const fields: ReadonlyMap<EdnValue, EdnValue> = value
  const process = fields.get(named.process) ?? ''
  if (typeof process === 'symbol') return undefined
  if (typeof process !== 'number' && process !== '')
    throw new HistoryFormatError(line, 'no :process')
  const type = types.get(fields.get(named.type))
  if (type === undefined) throw new HistoryFormatError(line, 'no :type that is known')
  const f = fields.get(named.f) ?? Symbol.for('')
  if (typeof f !== 'symbol') throw new HistoryFormatError(line, 'no :f')
  const key = fields.get(named.key)
  return {
    line,
    process,
    type,
    f: Symbol.keyFor(f) ?? '',
    ...(key === undefined ? {} : { key: canonical(key) }),
    value: fields.get(named.value) ?? null,
  }
}
