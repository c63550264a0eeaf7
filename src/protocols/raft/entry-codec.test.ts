/**
 * The bytes of version 1, to the bit, and what a stranger's bytes may do: be refused.
 */
import { describe, expect, it } from 'vitest'
import { CorruptDataError, FormatTooNewError, InvalidArgumentError } from '../../errors.ts'
import { byteReader, byteWriter } from './bytes.ts'
import type { Configuration, Entry, SnapshotMark } from './entry.ts'
import {
  decodeConfiguration,
  decodeEntries,
  decodeMark,
  encodeConfiguration,
  encodeEntries,
  encodeMark,
} from './entry-codec.ts'

const configuration: Configuration = {
  voters: ['a', 'b'],
  outgoing: ['a'],
  learners: ['ü'],
  addresses: { b: 'b:2', a: 'a:1', ü: '' },
  retired: ['old'],
}
const mark: SnapshotMark = { index: 2 ** 53 - 1, term: 300, configuration }
const entries: readonly Entry[] = [
  { kind: 'empty', term: 7, index: 1_000 },
  { kind: 'command', term: 7, index: 1_001, data: Uint8Array.of(0, 255) },
  { kind: 'command', term: 8, index: 1_002, data: new Uint8Array(0) },
  { kind: 'configuration', term: 8, index: 1_003, configuration },
]

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

/** Files of version 1 look like this for ever. If this fails, raise the version; do not mend the hex. */
const golden = {
  configuration:
    '01' +
    '020161' +
    '0162' +
    '010161' +
    '0102c3bc' +
    '01036f6c64' +
    '03' +
    '016103613a31' +
    '016203623a32' +
    '02c3bc00',
  mark: '01' + 'ffffffffffffff0f' + 'ac02',
  entries: '01' + '04' + 'e807' + '0007' + '01070200ff' + '010800' + '0208',
}

describe('G-10: golden bytes of version 1', () => {
  it('a configuration', () => {
    expect(hex(encodeConfiguration(configuration))).toBe(golden.configuration)
    expect(decodeConfiguration(unhex(golden.configuration))).toEqual(configuration)
  })

  it('a snapshot mark', () => {
    const bytes = golden.mark + golden.configuration
    expect(hex(encodeMark(mark))).toBe(bytes)
    expect(decodeMark(unhex(bytes))).toEqual(mark)
  })

  it('entries', () => {
    const bytes = golden.entries + golden.configuration
    expect(hex(encodeEntries(entries))).toBe(bytes)
    expect(decodeEntries(unhex(bytes))).toEqual(entries)
    expect(hex(encodeEntries([]))).toBe('0100')
    expect(decodeEntries(unhex('0100'))).toEqual([])
  })
})

describe("a stranger's bytes", () => {
  const whole = encodeEntries(entries)

  it('cut anywhere, or with more behind them, are refused', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeEntries(whole.subarray(0, length))).toThrow(CorruptDataError)
    }
    expect(() => decodeEntries(Uint8Array.of(...whole, 0))).toThrow(CorruptDataError)
  })

  it('changed anywhere, are refused or say something else, and never do anything worse', () => {
    for (let position = 0; position < whole.length; position++) {
      for (const flip of [1, 128, 255]) {
        const changed = whole.slice()
        changed[position] = (changed[position] ?? 0) ^ flip
        try {
          expect(hex(encodeEntries(decodeEntries(changed)))).toBe(hex(changed))
        } catch (error) {
          const known = error instanceof CorruptDataError || error instanceof FormatTooNewError
          if (!known) throw error
        }
      }
    }
  })

  it('that promise more than they bring cost no memory', () => {
    for (const bytes of ['01ffffff07e8070007', '01' + '01e807' + '0107' + 'ffffffffffffff0f00']) {
      expect(() => decodeEntries(unhex(bytes))).toThrow(CorruptDataError)
    }
    expect(() => decodeConfiguration(unhex('01ffffffff0f'))).toThrow(CorruptDataError)
  })

  it('of a later version are told apart from damage', () => {
    expect(() => decodeEntries(unhex('0200'))).toThrow(FormatTooNewError)
    expect(() => decodeEntries(unhex('0000'))).toThrow(CorruptDataError)
  })

  it('may name a member as JavaScript names its own', () => {
    const odd = { ...configuration, addresses: Object.fromEntries([['__proto__', 'x']]) }
    expect(Object.entries(decodeConfiguration(encodeConfiguration(odd)).addresses)).toEqual([
      ['__proto__', 'x'],
    ])
  })
})

describe('what cannot be stored', () => {
  it('is refused before anything is written', () => {
    const [first, , , last] = entries
    if (first === undefined || last === undefined) throw new Error('there are four')
    const refused: readonly (() => unknown)[] = [
      () => encodeEntries([first, last]),
      () => encodeEntries([{ ...first, term: -1 }]),
      () => encodeEntries([{ ...first, index: 2 ** 53 }]),
      () => encodeConfiguration({ ...configuration, voters: [''] }),
      () => encodeConfiguration({ ...configuration, voters: ['x'.repeat(65)] }),
      () => encodeConfiguration({ ...configuration, voters: ['\ud800'] }),
      () => encodeConfiguration({ ...configuration, retired: Array(1_001).fill('x') }),
      () => encodeConfiguration({ ...configuration, addresses: { a: 'x'.repeat(1_025) } }),
    ]
    for (const encode of refused) expect(encode).toThrow(InvalidArgumentError)
  })
})

it('numbers have one form, and all of them come back', () => {
  for (const value of [0, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 49 - 1, 2 ** 53 - 1]) {
    const writer = byteWriter()
    writer.number(value)
    expect(byteReader(writer.take()).number('a number')).toBe(value)
  }
  for (const bytes of ['8000', 'ff', 'ffffffffffffffff01', 'ffffffffffffff1f']) {
    expect(() => byteReader(unhex(bytes)).number('a number')).toThrow(CorruptDataError)
  }
})
