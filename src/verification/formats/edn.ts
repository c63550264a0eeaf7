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
const closing: Readonly<Record<string, string>> = { '[': ']', '(': ')', '{': '}' }
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
// Runs of characters that need no second look, matched from a given place.
const wordRun = /[^\s,;"[\](){}]+/y
const spaceRun = /[ \t\r,\f\v]+/y
const commentRun = /[^\n]+/y
const textRun = /[^"\\\n]+/y

/** What `#_ form` reads as. */
const nothing: unique symbol = Symbol('nothing')

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
    if (!any && (next === '[' || next === '(')) {
      inside = closing[next]
      source.take()
    } else if (next === inside) {
      source.take()
      skip(source)
      if (source.peek() !== '') throw new HistoryFormatError(source.line, 'text after the history')
      return
    } else {
      const value = form(source, 0)
      if (value !== nothing) yield { line, value }
    }
    any = true
  }
  if (inside !== undefined) throw new HistoryFormatError(source.line, `"${inside}" is missing`)
}

interface Characters {
  readonly line: number
  /** '' at the end. */
  peek(): string
  take(): string
  /** The longest run that the pattern matches from here: it matches no line end, and at most `textMax`. */
  run(pattern: RegExp): string
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
    run(pattern) {
      let found = ''
      while (peek() !== '') {
        pattern.lastIndex = at
        const part = pattern.exec(chunk)?.[0] ?? ''
        found += part
        at += part.length
        if (found.length > textMax) throw new HistoryFormatError(line, 'a text is too long')
        if (part === '' || at < chunk.length) break
      }
      return found
    },
  }
}

function skip(source: Characters): void {
  for (let next = source.peek(); next !== ''; next = source.peek()) {
    if (next === '\n') source.take()
    else if (next === ';') while (source.run(commentRun) !== '');
    else if (source.run(spaceRun) === '') return
  }
}

function form(source: Characters, depth: number): EdnValue | typeof nothing {
  const problem = (words: string): HistoryFormatError => new HistoryFormatError(source.line, words)
  if (depth > depthMax) throw problem(`nested deeper than ${depthMax}`)
  const next = source.peek()
  if (next === '') throw problem('the file ends within a form')
  if (next === '"') return text(source)
  if (next === '[' || next === '(' || next === '{') {
    source.take()
    const items = itemsUntil(source, closing[next] ?? '', depth)
    return next === '{' ? mapOf(items, problem) : items
  }
  if (next === '#') return dispatched(source, depth)
  if (next === '\\') {
    source.take()
    return source.take() + source.run(wordRun)
  }
  return atom(word(source), problem)
}

/** A set, nothing, or a tag and its value. */
function dispatched(source: Characters, depth: number): EdnValue | typeof nothing {
  source.take()
  if (source.peek() === '{') {
    source.take()
    return new Set(itemsUntil(source, '}', depth))
  }
  const tag = word(source)
  // `#_` may stand right before the word that it takes away.
  if (tag.startsWith('_') && tag !== '_') return nothing
  skip(source)
  const value = formAfter(source, depth + 1)
  return tag === '_' ? nothing : value
}

function formAfter(source: Characters, depth: number): EdnValue {
  for (;;) {
    const value = form(source, depth)
    if (value !== nothing) return value
    skip(source)
  }
}

function itemsUntil(source: Characters, end: string, depth: number): EdnValue[] {
  const items: EdnValue[] = []
  for (;;) {
    skip(source)
    if (source.peek() === end) {
      source.take()
      return items
    }
    const value = form(source, depth + 1)
    if (value !== nothing) items.push(value)
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
    characters += source.run(textRun)
    if (characters.length > textMax) throw new HistoryFormatError(opened, 'a text is too long')
    const character = source.take()
    if (character === '') throw new HistoryFormatError(opened, 'a text has no end')
    if (character === '"') return characters
    characters += character === '\\' ? escaped(source) : character
  }
}

function escaped(source: Characters): string {
  const name = source.take()
  const known = escapes[name]
  if (known !== undefined) return known
  if (name !== 'u') throw new HistoryFormatError(source.line, `bad escape \\${name}`)
  const code = source.take() + source.take() + source.take() + source.take()
  if (!/^[\da-fA-F]{4}$/.test(code)) throw new HistoryFormatError(source.line, 'bad \\u')
  return String.fromCharCode(Number.parseInt(code, 16))
}

function word(source: Characters): string {
  const characters = source.run(wordRun)
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
