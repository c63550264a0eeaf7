/**
 * JSON in one spelling: members sorted by name, so that two texts are equal exactly when the values are.
 */
import { InvalidArgumentError } from '../errors.ts'
import { requireLength } from '../ports/arguments.ts'

/** @throws {InvalidArgumentError} not JSON, or longer than `lengthMax` characters. */
export function canonicalJson(subject: string, value: unknown, lengthMax: number): string {
  const text = write(subject, value)
  requireLength(subject, text, lengthMax)
  return text
}

function write(subject: string, value: unknown): string {
  try {
    return JSON.stringify(value ?? null, sorted) ?? 'null'
  } catch (cause) {
    throw new InvalidArgumentError(`${subject} is not JSON`, { cause })
  }
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
