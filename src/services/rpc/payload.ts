/** A payload on arrival: decoded, then held against its schema. Whatever comes is a stranger's. */
import { SchemaMismatchError } from '../../errors.ts'
import { parseWith, type Schema } from '../../ports/schema.ts'
import type { Codec } from './codec.ts'

/**
 * @returns the value, at once if the schema can (most can): a promise costs every call a tick.
 * @throws {SchemaMismatchError} not of the codec, or not of the schema.
 */
export function readPayload(
  codec: Codec,
  schema: Schema<unknown> | undefined,
  bytes: Uint8Array,
  subject: string,
): unknown | Promise<unknown> {
  let value: unknown
  try {
    value = codec.decode(bytes)
  } catch (cause) {
    throw new SchemaMismatchError(`${subject} cannot be decoded`, { cause })
  }
  if (schema === undefined) return value
  const result = schema['~standard'].validate(value)
  if (!(result instanceof Promise) && result.issues === undefined) return result.value
  return parseWith(
    { '~standard': { ...schema['~standard'], validate: () => result } },
    value,
    subject,
  )
}
