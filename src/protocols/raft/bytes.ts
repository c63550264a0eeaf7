/**
 * Bytes by hand, for what is stored and sent: whole numbers of one to eight bytes, texts and byte strings
 * that say their length first. A value has exactly one form, so equal values have equal bytes.
 *
 * The reader trusts nothing: every length is held against what is left before anything is allocated, and
 * whatever does not fit is a `CorruptDataError` that says where.
 */
import { CorruptDataError, FormatTooNewError, InvalidArgumentError } from '../../errors.ts'

export interface ByteWriter {
  byte(value: number): void
  /** A whole number from 0 to 2^53 - 1: seven bits a byte, the low ones first. */
  number(value: number): void
  /** Its length, then itself. */
  bytes(value: Uint8Array): void
  /** UTF-8, with its length in bytes before it. @throws {InvalidArgumentError} half a surrogate pair. */
  text(value: string): void
  /** So many bytes so far. */
  size(): number
  /** All of it; the writer may go on, and what was taken stays as it is. */
  take(): Uint8Array<ArrayBuffer>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function byteWriter(sizeHint = 256): ByteWriter {
  let buffer = new Uint8Array(Math.max(16, sizeHint))
  let size = 0

  function reserve(more: number): void {
    if (size + more <= buffer.length) return
    const grown = new Uint8Array(Math.max(size + more, buffer.length * 2))
    grown.set(buffer.subarray(0, size))
    buffer = grown
  }

  function number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new InvalidArgumentError(
        `${value} cannot be stored; expected a whole number below 2^53`,
      )
    }
    reserve(8)
    let rest = value
    while (rest >= 128) {
      buffer[size++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    buffer[size++] = rest
  }

  function bytes(value: Uint8Array): void {
    number(value.length)
    reserve(value.length)
    buffer.set(value, size)
    size += value.length
  }

  return {
    byte(value) {
      reserve(1)
      buffer[size++] = value
    },
    number,
    bytes,
    text(value) {
      if (!value.isWellFormed()) {
        throw new InvalidArgumentError('a text has half a surrogate pair; expected valid Unicode')
      }
      bytes(encoder.encode(value))
    },
    size: () => size,
    take: () => buffer.slice(0, size),
  }
}

/** Every method throws `CorruptDataError` if the bytes are not what it expects. */
export interface ByteReader {
  byte(subject: string): number
  number(subject: string, max?: number): number
  /** A view into the bytes being read, not a copy. */
  bytes(subject: string, lengthMax?: number): Uint8Array
  text(subject: string, lengthMax: number): string
  /** A number of things to come, of which each takes at least a byte. */
  count(subject: string, max: number): number
  /** @throws {FormatTooNewError} it is above `known`. */
  version(subject: string, known: number): number
  left(): number
  /** Nothing may follow. */
  end(subject: string): void
  corrupt(message: string): CorruptDataError
}

export function byteReader(source: Uint8Array): ByteReader {
  let position = 0

  function corrupt(message: string): CorruptDataError {
    return new CorruptDataError(`${message}, at byte ${position} of ${source.length}`, {
      details: { position },
    })
  }

  function byte(subject: string): number {
    const value = source[position]
    if (value === undefined) throw corrupt(`${subject} is cut off`)
    position++
    return value
  }

  function number(subject: string, max: number = Number.MAX_SAFE_INTEGER): number {
    let value = 0
    let weight = 1
    for (let length = 1; length <= 8; length++) {
      const part = byte(subject)
      value += (part & 127) * weight
      if (part >= 128) {
        weight *= 128
        continue
      }
      if (part === 0 && length > 1) throw corrupt(`${subject} is longer than it need be`)
      if (value > max) throw corrupt(`${subject} is ${value}; expected at most ${max}`)
      return value
    }
    throw corrupt(`${subject} has no end`)
  }

  function bytes(subject: string, lengthMax: number = source.length): Uint8Array {
    const length = number(`the length of ${subject}`, lengthMax)
    if (length > source.length - position) throw corrupt(`${subject} is cut off`)
    position += length
    return source.subarray(position - length, position)
  }

  return {
    byte,
    number,
    bytes,
    text(subject, lengthMax) {
      // A UTF-16 unit takes up to three bytes.
      const encoded = bytes(subject, lengthMax * 3)
      let value: string
      try {
        value = decoder.decode(encoded)
      } catch {
        throw corrupt(`${subject} is not UTF-8`)
      }
      if (value.length > lengthMax) throw corrupt(`${subject} is too long`)
      return value
    },
    count(subject, max) {
      return number(`the number of ${subject}`, Math.min(max, source.length - position))
    },
    version(subject, known) {
      const version = byte(`the version of ${subject}`)
      if (version === 0) throw corrupt(`${subject} has version 0`)
      if (version <= known) return version
      throw new FormatTooNewError(`${subject} has version ${version}; this code knows ${known}`)
    },
    left: () => source.length - position,
    end(subject) {
      if (position < source.length) throw corrupt(`${subject} is followed by what it should not be`)
    },
    corrupt,
  }
}
