import { describe, expect, it } from 'vitest'
import { type DoneSet, memo } from './memo.ts'

const done = (more: Partial<DoneSet> = {}): DoneSet => ({
  words: Int32Array.of(-1, 5, 0),
  firstWord: 1,
  lastWord: 1,
  openWords: Int32Array.of(3),
  afterOpen: false,
  hash: 42,
  ...more,
})

describe('places with the same hash', () => {
  it('are told apart by every part of them', () => {
    const pool = { left: 100 }
    const places = memo<string>((one, other) => one === other, pool)
    const different: [DoneSet, string][] = [
      [done(), 'a'],
      [done(), 'b'],
      [done({ openWords: Int32Array.of(2) }), 'a'],
      [done({ afterOpen: true }), 'a'],
      [done({ words: Int32Array.of(-1, 4, 0) }), 'a'],
      [done({ words: Int32Array.of(-1, 5, 1), lastWord: 2 }), 'a'],
      [done({ firstWord: 2, lastWord: 2 }), 'a'],
    ]
    for (const [set, state] of different) expect(places.add(set, state, 7)).toBe('new')
    for (const [set, state] of different) expect(places.add(set, state, 7)).toBe('known')
    expect([places.size, pool.left]).toEqual([7, 93])
    places.clear()
    expect([places.size, pool.left]).toEqual([0, 100])
  })

  it('are found again among thousands, until the pool is used up', () => {
    const pool = { left: 5_000 }
    const places = memo<number>(Object.is, pool)
    for (let state = 0; state < 5_000; state++) {
      expect(places.add(done({ hash: state % 700 }), state, 0)).toBe('new')
    }
    expect(places.add(done(), -1, 0)).toBe('full')
    for (let state = 0; state < 5_000; state += 7) {
      expect(places.add(done({ hash: state % 700 }), state, 0)).toBe('known')
    }
  })
})
