import { describe, expect, it } from 'vitest'
import { CorruptDataError, FormatTooNewError } from '../../errors.ts'
import type { Message } from '../../protocols/raft/message.ts'
import { decodeMessages, encodeMessages } from './message-codec.ts'
import {
  decodeHello,
  decodeOffer,
  decodePiece,
  decodeWelcome,
  encodeHello,
  encodeOffer,
  encodePiece,
  encodeWelcome,
  type Hello,
} from './wire.ts'

const envelope = { from: 'a', to: 'b', term: 300 } as const
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex')

const configuration = {
  voters: ['a', 'b'],
  outgoing: [],
  learners: ['c'],
  addresses: { a: 'h:1', b: 'h:2', c: 'h:3' },
  retired: ['z'],
}

/** One of each kind, with the bytes that any later version must still read. */
const golden: readonly (readonly [Message, string])[] = [
  [
    { ...envelope, kind: 'vote', pre: true, lastIndex: 7, lastTerm: 2, transfer: false },
    '0100ac02010702',
  ],
  [{ ...envelope, kind: 'vote-reply', pre: false, granted: true }, '0101ac0202'],
  [
    {
      ...envelope,
      kind: 'append',
      prevIndex: 7,
      prevTerm: 2,
      entries: [
        { kind: 'empty', term: 3, index: 8 },
        { kind: 'command', term: 3, index: 9, data: bytes(1, 2, 3) },
        { kind: 'configuration', term: 3, index: 10, configuration },
      ],
      commit: 6,
      round: 129,
    },
    '0102ac020702068101' +
      '010308' +
      '0003' +
      '010303010203' +
      '02030102016101620001016301017a0301610' +
      '3683a3101620' +
      '3683a3201630' +
      '3683a33',
  ],
  [
    {
      ...envelope,
      kind: 'append-reply',
      accepted: false,
      index: 7,
      hintIndex: 5,
      hintTerm: 1,
      round: 4,
    },
    '0103ac020007050104',
  ],
  [{ ...envelope, kind: 'heartbeat', commit: 6, round: 2 ** 40 }, '0104ac0206808080808020'],
  [{ ...envelope, kind: 'heartbeat-reply', round: 5 }, '0105ac0205'],
  [{ ...envelope, kind: 'timeout-now' }, '0106ac02'],
  [
    { ...envelope, kind: 'forward', id: 'p1', commands: [bytes(9), bytes()] },
    '0107ac0202703102010900',
  ],
  [{ ...envelope, kind: 'forward-accepted', id: 'p1', index: 11 }, '0108ac020270310b'],
  [{ ...envelope, kind: 'forward-refused', id: 'p1', reason: 'full' }, '0109ac020270310466756c6c'],
  [{ ...envelope, kind: 'read', id: 'r', by: 'lease' }, '010aac02017201'],
  [{ ...envelope, kind: 'read-reply', id: 'r', index: 12 }, '010bac0201720c'],
  [{ ...envelope, kind: 'read-refused', id: 'r', reason: 'no' }, '010cac020172026e6f'],
]

describe('messages as bytes', () => {
  for (const [message, expected] of golden) {
    it(`G-10: ${message.kind} has the bytes it always had`, () => {
      expect(hex(encodeMessages([message]))).toBe(expected)
      expect(decodeMessages(bytes(...Buffer.from(expected, 'hex')), 'a', 'b')).toEqual([message])
    })
  }

  it('many leave together and arrive in order', () => {
    const all = golden.map(([message]) => message)
    expect(decodeMessages(encodeMessages(all), 'a', 'b')).toEqual(all)
  })

  it('a member speaks for itself only: the sender is whom the link belongs to', () => {
    const [forged] = decodeMessages(
      encodeMessages([{ ...envelope, from: 'c', kind: 'timeout-now' }]),
      'a',
      'b',
    )
    expect(forged?.from).toBe('a')
  })

  it('G-9: whatever is cut, changed or invented is refused with a reason, never believed half', () => {
    const whole = encodeMessages(golden.map(([message]) => message))
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeMessages(whole.slice(0, length), 'a', 'b')).toThrow(CorruptDataError)
    }
    expect(() => decodeMessages(bytes(...whole, 0), 'a', 'b')).toThrow(CorruptDataError)
    let refused = 0
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [1, 128, 255]) {
        const changed = whole.slice()
        changed[at] = (changed[at] ?? 0) ^ flip
        try {
          decodeMessages(changed, 'a', 'b')
        } catch (error) {
          const known = error instanceof CorruptDataError || error instanceof FormatTooNewError
          expect(known).toBe(true)
          refused += 1
        }
      }
    }
    expect(refused).toBeGreaterThan(whole.length)
  })

  it('a number of messages that cannot be there costs nothing', () => {
    expect(() => decodeMessages(bytes(255, 255, 3), 'a', 'b')).toThrow(CorruptDataError)
  })
})

describe('greetings as bytes', () => {
  const hello: Hello = {
    min: 1,
    max: 2,
    clusterId: 'shop',
    from: 'a',
    to: 'b',
    address: 'h:7000',
    diskId: 'd1',
    purpose: 'snapshot',
  }

  it('G-10: the hello has the bytes it always had', () => {
    const expected =
      '484652010102' + '0473686f70' + '0161' + '0162' + '06683a37303030' + '026431' + '01'
    expect(hex(encodeHello(hello))).toBe(expected)
    expect(decodeHello(encodeHello(hello))).toEqual(hello)
  })

  it('another protocol is no hello', () => {
    expect(() => decodeHello(new TextEncoder().encode('GET / HTTP/1.1'))).toThrow(CorruptDataError)
  })

  it('G-10: welcome, offer and piece have the bytes they always had', () => {
    const welcome = { version: 1, diskId: 'd2' }
    expect(hex(encodeWelcome(welcome))).toBe('01026432')
    expect(decodeWelcome(encodeWelcome(welcome))).toEqual(welcome)
    const offer = { term: 3, mark: { index: 9, term: 2, configuration }, sizeBytes: 1_000 }
    expect(hex(encodeOffer(offer)).slice(0, 12)).toBe('03e807010902')
    expect(decodeOffer(encodeOffer(offer))).toEqual(offer)
    expect(hex(encodePiece(300, bytes(1, 2)))).toBe('ac02020102')
    expect(decodePiece(encodePiece(300, bytes(1, 2)))).toEqual({
      position: 300,
      bytes: bytes(1, 2),
    })
  })
})
