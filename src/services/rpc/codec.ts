/**
 * A codec turns values into bytes and back. Both sides must use the same one; the hello says which, and
 * different ones refuse to talk.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { encodeWithPrefix } from './byte-pool.ts'

export interface Codec {
  /** 1 to 64 ASCII characters. Change it when the bytes change meaning. */
  readonly name: string
  /** @throws {InvalidArgumentError} the value cannot be carried. */
  encode(value: unknown): Uint8Array
  /** May throw anything if the bytes are not of this codec: they come from a stranger. */
  decode(bytes: Uint8Array): unknown
}

const plain = 0
/** Somewhere in the text stands `{"$bigint":"…"}` for a bigint. */
const withBigints = 1
/** No value: `undefined`. */
const absent = 2

/**
 * JSON, and `bigint` beside it without loss: JSON numbers end at 2^53. Not carried: `undefined` inside
 * objects, functions, `Date` and typed arrays as such (they become what `JSON.stringify` makes of them).
 */
export const jsonCodec: Codec = {
  name: 'json/1',
  encode(value) {
    if (value === undefined) return Uint8Array.of(absent)
    let mode = plain
    let text: string | undefined
    try {
      text = JSON.stringify(value)
    } catch (cause) {
      // A bigint is rare, so the replacer that costs every call is tried second.
      mode = withBigints
      text = stringifyWithBigints(value, cause)
    }
    if (text === undefined) throw new InvalidArgumentError(`a ${typeof value} is not JSON`)
    return encodeWithPrefix(mode, text)
  },
  decode(bytes) {
    const mode = bytes[0]
    if (mode === absent && bytes.length === 1) return undefined
    const text = decoder.decode(bytes.subarray(1))
    if (mode === plain) return JSON.parse(text)
    if (mode === withBigints) return JSON.parse(text, reviveBigint)
    throw new InvalidArgumentError('the payload is not of the JSON codec')
  },
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function stringifyWithBigints(value: unknown, cause: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_, part: unknown) =>
      typeof part === 'bigint' ? { $bigint: String(part) } : part,
    )
  } catch {
    throw new InvalidArgumentError('the value is not JSON', { cause })
  }
}

/** Long digits cost quadratic time to parse, so their number is limited. */
const digitsMax = 1_000

function reviveBigint(_: string, part: unknown): unknown {
  if (typeof part !== 'object' || part === null) return part
  const digits: unknown = (part as Record<string, unknown>).$bigint
  if (typeof digits !== 'string' || Object.keys(part).length !== 1) return part
  return digits.length <= digitsMax && /^-?\d+$/.test(digits) ? BigInt(digits) : part
}
