/**
 * Names that are stored: SQLite ends a text at a NUL character, so a name with one would come back as
 * another name. It is refused at the door.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { requireText } from '../../ports/arguments.ts'

/** @throws {InvalidArgumentError} blank, too long, half a surrogate pair, or a NUL character. */
export function requireName(subject: string, value: string, lengthMax: number): void {
  requireText(subject, value, lengthMax)
  requireNoNul(subject, value)
}

/** @throws {InvalidArgumentError} */
export function requireNoNul(subject: string, value: string): void {
  if (!value.includes('\0')) return
  throw new InvalidArgumentError(`${subject} has a NUL character; expected text without one`)
}
