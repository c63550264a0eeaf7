/**
 * Bad input is refused at the door, in one wording: what it is, what came, what is expected.
 */
import { InvalidArgumentError } from '../errors.ts'

/** Keeps a number within whole bounds. @throws {InvalidArgumentError} */
export function requireInteger(subject: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new InvalidArgumentError(
    `${subject} is ${String(value)}; expected a whole number from ${min} to ${max}`,
    { details: { subject, value: String(value), min, max } },
  )
}

/** Keeps a name within a length and not blank. @throws {InvalidArgumentError} */
export function requireText(subject: string, value: string, lengthMax: number): void {
  if (typeof value === 'string' && value.trim() !== '' && value.length <= lengthMax) {
    if (value.isWellFormed()) return
    throw new InvalidArgumentError(`${subject} has half a surrogate pair; expected valid Unicode`)
  }
  const got =
    typeof value !== 'string'
      ? `a ${typeof value}`
      : value.length > lengthMax
        ? `${value.length} characters long`
        : `${JSON.stringify(value)}`
  throw new InvalidArgumentError(
    `${subject} is ${got}; expected 1 to ${lengthMax} characters, not only white space`,
    { details: { subject, lengthMax } },
  )
}

/** Keeps a text within a length; empty is allowed. @throws {InvalidArgumentError} */
export function requireLength(subject: string, value: string, lengthMax: number): void {
  if (typeof value === 'string' && value.length <= lengthMax) return
  const got = typeof value === 'string' ? `${value.length} characters long` : `a ${typeof value}`
  throw new InvalidArgumentError(`${subject} is ${got}; expected at most ${lengthMax} characters`, {
    details: { subject, lengthMax },
  })
}
