import { describe, expect, it } from 'vitest'
import { LimitExceededError } from '../../../errors.ts'
import { frameBytesMax, frameOf, frameReader } from './link-frames.ts'

function readIn(pieces: readonly Uint8Array[]): unknown[] {
  const messages: unknown[] = []
  const read = frameReader((message) => messages.push(message))
  for (const piece of pieces) read(piece)
  return messages
}

const tricky = {
  big: 2n ** 63n - 1n,
  negative: -1n,
  marked: '~n5',
  mark: '~',
  twice: '~~s',
  half: '\ud83d',
  zero: '\0',
  inside: [{ '~n1': 3n }, null, 'é 🔒'],
}

describe('frames of a link', () => {
  it('G-9: bring back 64 bits, marks, NUL and half pairs as they were', () => {
    expect(readIn([frameOf(tricky)])).toEqual([{ v: 1, ...tricky }])
  })

  it('G-10: are whole however the bytes are cut, byte by byte or several at once', () => {
    const frames = [frameOf(tricky), frameOf({ id: 1 }), frameOf({})]
    const all = new Uint8Array(frames.flatMap((frame) => [...frame]))
    const expected = [{ v: 1, ...tricky }, { v: 1, id: 1 }, { v: 1 }]
    for (const size of [1, 3, 4, 5, 64, all.length]) {
      const pieces: Uint8Array[] = []
      for (let at = 0; at < all.length; at += size) pieces.push(all.slice(at, at + size))
      expect(readIn(pieces)).toEqual(expected)
    }
  })

  it('G-10, G-11: refuse another version, and a length past the limit', () => {
    const other = new TextEncoder().encode('{"v":2}')
    const frame = new Uint8Array([0, 0, 0, other.length, ...other])
    expect(() => readIn([frame])).toThrow('version 2')
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, frameBytesMax + 1)
    expect(() => readIn([length])).toThrow(LimitExceededError)
  })
})
