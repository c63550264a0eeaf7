/**
 * The limits of a batch, checked before it is sent anywhere: a bad batch is refused at the door, at
 * the cost of no thread and no file. It also keeps values from a library that would abort the whole
 * process on them.
 */
import { InvalidArgumentError } from '../errors.ts'
import type { SqlBatch, SqlStatement, SqlValue } from './sql.ts'

export const statementsMax: number = 1_000
export const hintsMax: number = 64
export const hintLengthMax: number = 200
/** One value; SQLite's own limit is ten times that. */
export const valueBytesMax: number = 67_108_864

const int64Max = 2n ** 63n - 1n
const int64Min = -(2n ** 63n)

/**
 * Checks shape, counts and values.
 * @returns the size in bytes, roughly: for queue limits.
 * @throws {InvalidArgumentError}
 */
export function requireBatch(batch: SqlBatch): number {
  const { statements, mode = 'write', durability = 'full', hints = [] } = batch
  if (!Array.isArray(statements) || statements.length < 1 || statements.length > statementsMax) {
    refuse(`a batch has ${statements?.length} statements; expected 1 to ${statementsMax}`)
  }
  if (mode !== 'read' && mode !== 'write') refuse(`mode is "${mode}"; expected read or write`)
  if (durability !== 'full' && durability !== 'relaxed') {
    refuse(`durability is "${durability}"; expected full or relaxed`)
  }
  if (hints.length > hintsMax) refuse(`${hints.length} hints; expected at most ${hintsMax}`)
  for (const topic of hints) requireTopic(topic)
  let sizeBytes = 100
  statements.forEach((statement: SqlStatement, index: number) => {
    sizeBytes += requireStatement(statement, index)
  })
  return sizeBytes
}

export function requireTopic(topic: string): void {
  if (typeof topic !== 'string' || topic === '' || topic.length > hintLengthMax) {
    refuse(`a topic is ${show(topic)}; expected 1 to ${hintLengthMax} characters`)
  }
  // Topics travel one per line.
  if (topic.includes('\n')) refuse(`the topic ${show(topic)} has a line break`)
}

function requireStatement(statement: SqlStatement, index: number): number {
  const { sql, parameters = [], expect, integers = 'number' } = statement
  if (typeof sql !== 'string') refuse(`statement ${index} is ${show(sql)}; expected SQL text`)
  if (expect !== undefined && !(Number.isSafeInteger(expect) && expect >= 0)) {
    refuse(`expect of statement ${index} is ${show(expect)}; expected a whole number from 0`)
  }
  if (integers !== 'number' && integers !== 'bigint') {
    refuse(`integers of statement ${index} is ${show(integers)}; expected number or bigint`)
  }
  let sizeBytes = 50 + sql.length
  parameters.forEach((value, position) => {
    sizeBytes += sizeOf(value, `parameter ?${position + 1} of statement ${index}`)
  })
  return sizeBytes
}

function sizeOf(value: SqlValue, subject: string): number {
  if (value === null) return 1
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return 8
  } else if (typeof value === 'bigint') {
    if (value <= int64Max && value >= int64Min) return 8
  } else if (typeof value === 'string') {
    // SQLite would cut the text there without a word.
    if (value.includes('\0')) refuse(`${subject} has a NUL character`)
    if (value.length <= valueBytesMax) return value.length
  } else if (value instanceof Uint8Array) {
    if (value.byteLength <= valueBytesMax) return value.byteLength
  }
  const got = value instanceof Uint8Array ? `${value.byteLength} bytes` : show(value)
  return refuse(
    `${subject} is ${got}; expected null, a finite number, a 64-bit integer, text or bytes`,
  )
}

function show(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
    : String(value)
}

function refuse(message: string): never {
  throw new InvalidArgumentError(message)
}
