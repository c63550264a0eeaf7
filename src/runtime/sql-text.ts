/**
 * The little that must be known about an SQL text before it is run: what kind of statement it is, and
 * how many parameters it takes. Libraries disagree here (one binds what is missing as NULL, one drops
 * a second statement in silence), so it is settled once, in front of them all.
 */
import { InvalidArgumentError } from '../errors.ts'

// What may hide a `?` or a `;`: strings, quoted names, comments. Everything else is code.
const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\//g

// Transactions belong to whoever commits the batch; the others reach beyond the file or its settings.
const FORBIDDEN =
  /^(begin|commit|end|rollback|savepoint|release|pragma|attach|detach|vacuum|explain)\b/i

/**
 * How many parameters the statement takes: `?1`, `?2`, … in any order, none skipped.
 * @throws {InvalidArgumentError} not one statement, a statement that is not allowed in a batch, or a
 * parameter that is not `?1`, `?2`, ….
 */
export function parameterCount(sql: string): number {
  const code = sql.replace(QUOTED, ' ').trim()
  if (code === '') throw new InvalidArgumentError('a statement is empty')
  const forbidden = FORBIDDEN.exec(code)
  if (forbidden) {
    throw new InvalidArgumentError(`${forbidden[0].toUpperCase()} is not allowed in a batch`)
  }
  const isTrigger = /^create\s+(temp\s+|temporary\s+)?trigger\b/i.test(code)
  if (!isTrigger && /;\s*\S/.test(code)) {
    throw new InvalidArgumentError('one statement at a time: the SQL goes on after ";"')
  }
  const stray = /\?(?!\d)|[@$][a-z_]|(?<![:\w]):[a-z_]/i.exec(code)
  if (stray) {
    throw new InvalidArgumentError(`parameters are written ?1, ?2, …; found "${stray[0]}"`)
  }
  const numbers = new Set<number>()
  for (const [, digits] of code.matchAll(/\?(\d+)/g)) numbers.add(Number(digits))
  for (let number = 1; number <= numbers.size; number++) {
    if (!numbers.has(number)) throw new InvalidArgumentError(`parameter ?${number} is skipped`)
  }
  return numbers.size
}

/**
 * Does the statement read and nothing more? In SQLite that is its first word, or behind `WITH`, whose
 * tables are always queries, the first one that stands in no parentheses.
 */
export function onlyReads(sql: string): boolean {
  let code = sql.replace(QUOTED, ' ').trim()
  if (/^with\b/i.test(code)) {
    for (let nested = ''; nested !== code; ) {
      nested = code
      code = code.replace(/\([^()]*\)/g, ' ')
    }
    code = /\b(?:select|values|insert|replace|update|delete)\b/i.exec(code)?.[0] ?? ''
  }
  return /^(?:select|values)\b/i.test(code)
}
