/**
 * One JSON object a line, for histories recorded by programs of any kind:
 *
 *     {"process":0,"type":"invoke","f":"write","value":3}
 *     {"process":0,"type":"ok","f":"write","value":3}
 *
 * `process` is a whole number or a text; `type` one of invoke, ok (it happened), fail (it did not), info
 * (nobody knows); `key` may name a part; `value` is null if absent. Integers beyond 2^53 go in as text.
 */
import type { EdnValue } from './edn.ts'
import { HistoryFormatError } from './history-format-error.ts'
import { readLines } from './lines.ts'
import type { RecordedEvent } from './recorded.ts'

const types: ReadonlySet<unknown> = new Set(['invoke', 'ok', 'fail', 'info'])
const fields: ReadonlySet<string> = new Set(['process', 'type', 'f', 'key', 'value'])
const depthMax = 64

/** @throws HistoryFormatError */
export function* readJsonLines(
  chunks: Iterable<string>,
): Generator<RecordedEvent, void, undefined> {
  for (const { line, text } of readLines(chunks)) yield eventOf(parse(text, line), line)
}

function parse(text: string, line: number): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new HistoryFormatError(line, 'not JSON')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>
  }
  throw new HistoryFormatError(line, 'an event is an object')
}

function eventOf(event: Readonly<Record<string, unknown>>, line: number): RecordedEvent {
  const { process, type, f, key, value } = event
  const wrong = (problem: string): HistoryFormatError => new HistoryFormatError(line, problem)
  const strange = Object.keys(event).find((name) => !fields.has(name))
  if (strange !== undefined) throw wrong(`"${strange.slice(0, 40)}" is no field of an event`)
  if (typeof process !== 'string' && !Number.isSafeInteger(process)) throw wrong('no "process"')
  if (!types.has(type)) throw wrong('no "type" that is known')
  if (typeof f !== 'string') throw wrong('no "f"')
  if (key !== undefined && typeof key !== 'string' && typeof key !== 'number') {
    throw wrong('a "key" is a text or a number')
  }
  return {
    line,
    process: process as number | string,
    type: type as RecordedEvent['type'],
    f,
    ...(key === undefined ? {} : { key: String(key) }),
    value: readValue(value ?? null, line, 0),
  }
}

function readValue(value: unknown, line: number, depth: number): EdnValue {
  if (depth > depthMax) throw new HistoryFormatError(line, `nested deeper than ${depthMax}`)
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') {
    if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value
    throw new HistoryFormatError(line, 'an integer beyond 2^53 would lose digits: write it as text')
  }
  if (Array.isArray(value)) return value.map((item) => readValue(item, line, depth + 1))
  const map = new Map<EdnValue, EdnValue>()
  for (const [name, item] of Object.entries(value as object)) {
    map.set(name, readValue(item, line, depth + 1))
  }
  return map
}
