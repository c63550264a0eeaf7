import { describe, expect, it } from 'vitest'
import { LimitExceededError } from '../../../errors.ts'
import type { ByteStream } from '../../../runtime/network.ts'
import { type FrameWriter, frameWriter } from './frame-writer.ts'
import { frameBytesMax, frameReader } from './link-frames.ts'
import { markedJson } from './marked-json.ts'

function readIn(pieces: readonly Uint8Array[]): unknown[] {
  const messages: unknown[] = []
  const read = frameReader((message) => messages.push(message))
  for (const piece of pieces) read(piece)
  return messages
}

/** What leaves over a stream in one turn, piece by piece. */
async function written(say: (writer: FrameWriter) => void): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = []
  const stream: Pick<ByteStream, 'write'> = {
    write(bytes) {
      pieces.push(bytes)
      return true
    },
  }
  say(frameWriter(stream as ByteStream))
  await Promise.resolve()
  return pieces
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
  it('G-9: bring back 64 bits, marks, NUL and half pairs as they were', async () => {
    expect(readIn(await written(({ send }) => send(tricky)))).toEqual([{ v: 1, ...tricky }])
  })

  it('G-9: an answer that is JSON already is the same frame as one that was not', async () => {
    const json = new TextEncoder().encode(markedJson(tricky))
    const passed = await written(({ sendAnswer }) => sendAnswer(7, json))
    expect(readIn(passed)).toEqual([{ v: 1, id: 7, answer: tricky }])
    expect(passed).toEqual(await written(({ send }) => send({ id: 7, answer: tricky })))
  })

  it('G-9: keys that other objects inherit are keys like any other', async () => {
    const hostile = JSON.parse('{"__proto__":"~n5","constructor":"~"}')
    const [back] = readIn(await written(({ send }) => send({ hostile }))) as { hostile: object }[]
    expect(JSON.stringify(back?.hostile)).toBe('{"__proto__":"~n5","constructor":"~"}')
    expect(Object.getPrototypeOf(back?.hostile)).toBe(Object.prototype)
  })

  it('G-10: leave in one piece and are whole however it is cut', async () => {
    const long = 'é'.repeat(50_000)
    const pieces = await written(({ send }) => {
      for (const message of [tricky, { id: 1 }, { long }, {}]) send(message)
    })
    expect(pieces).toHaveLength(1)
    const all = pieces[0] ?? new Uint8Array(0)
    const expected = [{ v: 1, ...tricky }, { v: 1, id: 1 }, { v: 1, long }, { v: 1 }]
    for (const size of [1, 3, 4, 5, 64, all.length]) {
      const cut: Uint8Array[] = []
      for (let at = 0; at < all.length; at += size) cut.push(all.slice(at, at + size))
      expect(readIn(cut)).toEqual(expected)
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
