import { expect, it } from 'vitest'
import { frameReader } from './frame-reader.ts'

function framed(...bodies: Uint8Array[]): Uint8Array {
  const pieces = bodies.flatMap((body) => [
    Uint8Array.of(body.length >> 8, body.length & 255),
    body,
  ])
  return new Uint8Array(Buffer.concat(pieces))
}

function read(pieces: readonly Uint8Array[], max = 70_000): Uint8Array[] {
  const bodies: Uint8Array[] = []
  const reader = frameReader({
    lengthBytes: 2,
    bodyBytesMax: () => max,
    accept: (body) => bodies.push(body.slice()),
    tooLong: (length) => new RangeError(`${length}`),
  })
  for (const piece of pieces) reader.push(piece)
  return bodies
}

it('frames are whole wherever the stream was cut', () => {
  const bodies = [0, 1, 5, 300, 0, 2].map((length, at) => new Uint8Array(length).fill(at + 1))
  const whole = framed(...bodies)
  for (const size of [1, 2, 3, 7, 100, whole.length]) {
    const pieces: Uint8Array[] = []
    for (let at = 0; at < whole.length; at += size) pieces.push(whole.slice(at, at + size))
    expect(read(pieces)).toEqual(bodies)
  }
})

it('a frame that is too long is refused before a byte of it is kept', () => {
  expect(() => read([Uint8Array.of(0, 11)], 10)).toThrow(RangeError)
  expect(() => read([Uint8Array.of(0), Uint8Array.of(11)], 10)).toThrow(RangeError)
  expect(read([framed(new Uint8Array(10))], 10)).toHaveLength(1)
})
