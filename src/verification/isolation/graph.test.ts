import { array, assert, integer, nat, property, tuple } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { budget } from './budget.ts'
import { components } from './components.ts'
import { type Graph, graphBuilder, realtimeOrder, rw, through, wr, ww } from './graph.ts'
import { linkRealtimeOrder } from './orders.ts'
import type { Transaction } from './transaction.ts'

const plenty = budget({ stepsMax: 1e9 })

/** All transactions that follow one by a single edge, through however many hubs. */
function followers(graph: Graph, source: number): readonly number[] {
  const found = new Set<number>()
  const open: number[] = [source]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (let edge = graph.offsets[node] ?? 0; edge < (graph.offsets[node + 1] ?? 0); edge++) {
      const target = graph.targets[edge] ?? 0
      expect(graph.kinds[edge] === through).toBe(node >= graph.transactions)
      if (target >= graph.transactions) open.push(target)
      else found.add(target)
    }
  }
  return [...found].toSorted((left, right) => left - right)
}

describe('hubs', () => {
  const members = array(nat(39), { maxLength: 40 })

  it('join every source with every target but itself, and nothing else', () => {
    assert(
      property(members, members, (sources, targets) => {
        const builder = graphBuilder(40, plenty)
        builder.linkAll(sources, targets, rw)
        const graph = builder.graph()
        for (let node = 0; node < 40; node++) {
          const expected = sources.includes(node)
            ? [...new Set(targets)].filter((target) => target !== node)
            : []
          expect(followers(graph, node)).toEqual(expected.toSorted((left, right) => left - right))
        }
      }),
    )
  })

  it('hold exactly the real-time order', () => {
    const interval = tuple(nat(60), nat(20), integer({ min: 0, max: 9 }))
    assert(
      property(array(interval, { maxLength: 30 }), (intervals) => {
        const history = intervals.map(([calledAt, length, fate], process): Transaction => {
          const status = fate === 0 ? 'unknown' : fate === 1 ? 'aborted' : 'committed'
          const returnedAt = fate === 0 ? Number.POSITIVE_INFINITY : calledAt + length
          return { process, status, calledAt, returnedAt, steps: [] }
        })
        const builder = graphBuilder(history.length, plenty)
        linkRealtimeOrder(history, builder)
        const graph = builder.graph()
        history.forEach((first, index) => {
          const expected = history.flatMap((second, place) => {
            const after = first.status === 'committed' && first.returnedAt < second.calledAt
            return after && second.status !== 'aborted' ? [place] : []
          })
          expect(followers(graph, index)).toEqual(expected)
        })
        expect(graph.edges).toBeLessThanOrEqual(3 * history.length)
        expect(graph.kinds.every((kind) => kind === realtimeOrder || kind === through)).toBe(true)
      }),
    )
  })
})

describe('components, beside the closure of all paths', () => {
  const edges = array(tuple(nat(11), nat(11), nat(2)), { maxLength: 30 })
  const kindOf = [ww, wr, rw] as const

  it.each([true, false])('rw next to rw allowed: %s', (rwAdjacent) => {
    let [circles, none] = [0, 0]
    assert(
      property(edges, (list) => {
        const builder = graphBuilder(12, plenty)
        for (const [source, target, kind] of list) builder.link(source, target, kindOf[kind] ?? ww)
        const walk = { mask: ww | wr | rw, rwAdjacent }
        const { component, sizes } = components(builder.graph(), walk, plenty)
        const width = rwAdjacent ? 1 : 2
        const states = 12 * width
        const reaches = Array.from({ length: states }, () => new Set<number>())
        for (const [source, target, kind] of list) {
          if (source === target) continue
          if (rwAdjacent) reaches[source]?.add(target)
          else if (kind === 2) reaches[source * 2]?.add(target * 2 + 1)
          else for (const flag of [0, 1]) reaches[source * 2 + flag]?.add(target * 2)
        }
        for (let middle = 0; middle < states; middle++) {
          for (const from of reaches) {
            if (from.has(middle)) for (const to of reaches[middle] ?? []) from.add(to)
          }
        }
        for (let left = 0; left < states; left++) {
          expect((component[left] ?? -1) >= 0).toBe(reaches[left]?.has(left))
          for (let right = 0; right < left; right++) {
            const same = (component[left] ?? -1) >= 0 && component[left] === component[right]
            expect(same).toBe(
              reaches[left]?.has(right) === true && reaches[right]?.has(left) === true,
            )
          }
        }
        if (sizes.length > 0) circles += 1
        else none += 1
      }),
      { numRuns: 300 },
    )
    expect(Math.min(circles, none)).toBeGreaterThan(0)
  })
})
