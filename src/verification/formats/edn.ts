/**
 * A reader of EDN, the notation of Clojure in which Jepsen writes histories. It takes text in pieces and
 * gives one form at a time, so that a file larger than memory can be read; and it holds nesting, text
 * and tokens to limits, because a file may come from anywhere.
 *
 * Keywords and symbols become JavaScript symbols (`:read` is `Symbol.for('read')`), lists and vectors
 * arrays, integers beyond 2^53 bigints. Tags are dropped: their values stand alone.
 */
import { HistoryFormatError } from './history-format-error.ts'

export type EdnValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | symbol
  | readonly EdnValue[]
  | ReadonlyMap<EdnValue, EdnValue>
  | ReadonlySet<EdnValue>

export interface EdnForm {
  /** Where it begins, from 1. */
  readonly line: number
  readonly value: EdnValue
}

const depthMax = 64
/** Characters of one text or token. */
const textMax = 1 << 20
const closing: Readonly<Record<string, string>> = { '[': ']', '(': ')', '{': '}', '#{': '}' }
const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  '"': '"',
  '\\': '\\',
}
const integer = /^[+-]?\d+N?$/
const float = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?M?$/
const token = /^[^\s,;"[\](){}]+$/
const space = /[\s,]/

/**
 * The forms of a file, one after another. If the file is one vector or list, its elements instead.
 * @throws HistoryFormatError
 */
export function* readEdn(chunks: Iterable<string>): Generator<EdnForm, void, undefined> {
  const source = characters(chunks)
  let inside: string | undefined
  let any = false
  for (;;) {
    skip(source)
    const line = source.line
    const next = source.peek()
    if (next === '') break
    if (!any && inside === undefined && (next === '[' || next === '(')) {
      inside = closing[next]
      source.take()
    } else if (next === inside) {
      source.take()
      skip(source)
      if (source.peek() !== '') throw new HistoryFormatError(source.line, 'text after the history')
      return
    } else if (!discarded(source)) yield { line, value: form(source, 0) }
    any = true
  }
  if (inside !== undefined) throw new HistoryFormatError(source.line, `"${inside}" is missing`)
}

interface Characters {
  readonly line: number
  /** '' at the end. */
  peek(): string
  take(): string
}

function characters(chunks: Iterable<string>): Characters {
  const rest = chunks[Symbol.iterator]()
  let chunk = ''
  let at = 0
  let line = 1
  function peek(): string {
    while (at >= chunk.length) {
      const more = rest.next()
      if (more.done === true) return ''
      chunk = more.value
      at = 0
    }
    return chunk[at] ?? ''
  }
  return {
    get line() {
      return line
    },
    peek,
    take() {
      const character = peek()
      if (character === '\n') line += 1
      at += 1
      return character
    },
  }
}

function skip(source: Characters): void {
  for (let next = source.peek(); next !== ''; next = source.peek()) {
    if (next === ';') while (source.peek() !== '' && source.peek() !== '\n') source.take()
    else if (space.test(next)) source.take()
    else return
  }
}

/** Reads `#_ form`, which counts as nothing. A `#` that begins something else is left for `form`. */
function discarded(source: Characters): boolean {
  if (source.peek() !== '#') return false
  source.take()
  if (source.peek() !== '_') {
    pendingHash.add(source)
    return false
  }
  source.take()
  skip(source)
  form(source, 0)
  return true
}

/** Sources whose `#` was taken by `discarded`. */
const pendingHash = new WeakSet<Characters>()

function form(source: Characters, depth: number): EdnValue {
  const problem = (words: string): HistoryFormatError => new HistoryFormatError(source.line, words)
  if (depth > depthMax) throw problem(`nested deeper than ${depthMax}`)
  if (pendingHash.delete(source)) return dispatched(source, depth)
  const next = source.peek()
  if (next === '') throw problem('the file ends within a form')
  if (next === '"') return text(source)
  if (next === '[' || next === '(' || next === '{') {
    source.take()
    const items = itemsUntil(source, closing[next] ?? '', depth)
    return next === '{' ? mapOf(items, problem) : items
  }
  if (next === '#') {
    source.take()
    return dispatched(source, depth)
  }
  if (next === '\\') {
    source.take()
    const first = source.take()
    return token.test(source.peek()) ? first + word(source) : first
  }
  return atom(word(source), problem)
}

/** After a `#`: a set, or a tag and its value. */
function dispatched(source: Characters, depth: number): EdnValue {
  if (source.peek() === '{') {
    source.take()
    return new Set(itemsUntil(source, '}', depth))
  }
  if (source.peek() === '_') throw new HistoryFormatError(source.line, 'nothing stands after "#_"')
  word(source)
  skip(source)
  return form(source, depth + 1)
}

function itemsUntil(source: Characters, end: string, depth: number): EdnValue[] {
  const items: EdnValue[] = []
  for (;;) {
    skip(source)
    if (source.peek() === end) {
      source.take()
      return items
    }
    if (discarded(source)) continue
    items.push(form(source, depth + 1))
  }
}

function mapOf(
  items: readonly EdnValue[],
  problem: (words: string) => HistoryFormatError,
): ReadonlyMap<EdnValue, EdnValue> {
  if (items.length % 2 !== 0) throw problem('a map has a key without a value')
  const map = new Map<EdnValue, EdnValue>()
  for (let at = 0; at < items.length; at += 2) {
    const key = items[at] ?? null
    if (map.has(key)) throw problem('a map has the same key twice')
    map.set(key, items[at + 1] ?? null)
  }
  return map
}

function text(source: Characters): string {
  const opened = source.line
  source.take()
  let characters = ''
  for (;;) {
    const character = source.take()
    if (character === '') throw new HistoryFormatError(opened, 'a text has no end')
    if (character === '"') return characters
    if (characters.length >= textMax) throw new HistoryFormatError(opened, 'a text is too long')
    if (character !== '\\') {
      characters += character
      continue
    }
    const name = source.take()
    if (name === 'u') {
      const code = source.take() + source.take() + source.take() + source.take()
      if (!/^[\da-fA-F]{4}$/.test(code)) throw new HistoryFormatError(source.line, 'bad \\u')
      characters += String.fromCharCode(Number.parseInt(code, 16))
      continue
    }
    const escaped = escapes[name]
    if (escaped === undefined) throw new HistoryFormatError(source.line, `bad escape \\${name}`)
    characters += escaped
  }
}

function word(source: Characters): string {
  let characters = ''
  while (token.test(source.peek())) {
    characters += source.take()
    if (characters.length > textMax)
      throw new HistoryFormatError(source.line, 'a token is too long')
  }
  if (characters !== '') return characters
  throw new HistoryFormatError(source.line, `"${source.peek()}" does not belong here`)
}

function atom(word: string, problem: (words: string) => HistoryFormatError): EdnValue {
  if (word === 'nil') return null
  if (word === 'true') return true
  if (word === 'false') return false
  if (integer.test(word)) {
    // Numbers of a million digits take seconds to convert, and no history has them.
    if (word.length > 100) throw problem('a number is too long')
    const value = BigInt(word.replace(/^\+|N$/g, ''))
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }
  if (float.test(word)) return Number(word.replace(/M$/, ''))
  if (/^[+-]?\d/.test(word)) throw problem(`"${word.slice(0, 40)}" is not a number`)
  if (word === ':') throw problem('a keyword has no name')
  return Symbol.for(word.startsWith(':') ? word.slice(1) : word)
}
