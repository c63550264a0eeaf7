import { describe, expect, it } from 'vitest'
import { orderedMap } from './ordered-map.ts'
import { numbers } from './seeded.sim.ts'
import { timeIndex } from './time-index.ts'

describe('the ordered map', () => {
  it('does what a sorted Map does, over 20 seeds of 4,000 changes', () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const draw = numbers(seed)
      const map = orderedMap<number>()
      const model = new Map<string, number>()
      const pictures: { readonly taken: Iterable<number>; readonly expected: number[] }[] = []
      const sorted = (): [string, number][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1))
      for (let change = 0; change < 4_000; change += 1) {
        const key = `k${draw(900)}`
        if (draw(3) === 0) expect(map.delete(key)).toBe(model.delete(key))
        else {
          map.set(key, change)
          model.set(key, change)
        }
        if (change % 1_000 === 500) {
          pictures.push({ taken: map.picture(), expected: sorted().map(([, value]) => value) })
        }
      }
      const label = `seed ${seed}`
      expect([...map.from('')], label).toEqual(sorted())
      const from = `k${draw(900)}`
      expect([...map.from(from)], label).toEqual(sorted().filter(([key]) => key >= from))
      expect([map.size, map.first()], label).toEqual([model.size, sorted()[0]])
      for (const { taken, expected } of pictures) expect([...taken], label).toEqual(expected)
    }
  })

  it('finds nothing in an empty one', () => {
    const map = orderedMap<number>()
    expect([map.get('a'), map.delete('a'), map.first(), [...map.from('')]]).toEqual([
      undefined,
      false,
      undefined,
      [],
    ])
  })
})

describe('the index of times', () => {
  it('keeps one place per name, in order of time and then of name', () => {
    const index = timeIndex()
    for (const [name, atMs] of [
      ['b', 5],
      ['a', 5],
      ['c', 1],
      ['c', 9],
      ['d', 7],
    ] as const) {
      index.put(name, atMs)
    }
    index.put('d', undefined)
    expect([...index.until(9)]).toEqual(['a', 'b', 'c'])
    expect([...index.until(8)]).toEqual(['a', 'b'])
    expect([index.firstMs(), index.nextAfter(5), index.nextAfter(9)]).toEqual([5, 9, undefined])
  })
})
