import { describe, expect, it } from 'vitest'
import { type Endpoint, type EndpointSource, fixedEndpoints } from '../endpoint.ts'
import { subset } from './subset.ts'

const named = (count: number): Endpoint[] =>
  Array.from({ length: count }, (_, index) => ({
    ...{ id: `e${index}`, address: `h${index}:80`, weight: 1, instance: `e${index}`, metadata: {} },
  }))
const idsOf = (source: EndpointSource): string[] => source.endpoints().map(({ id }) => id)

/** How many of the clients have each endpoint in their subset. */
function loads(
  endpoints: readonly Endpoint[],
  size: number,
  clients: readonly (number | string)[],
) {
  const counts = new Map(endpoints.map(({ id }) => [id, 0]))
  for (const clientId of clients) {
    const ids = idsOf(subset(fixedEndpoints(endpoints), { size, clientId }))
    expect(new Set(ids).size).toBe(Math.min(size, endpoints.length))
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return [...counts.values()]
}

const numbered = Array.from({ length: 300 }, (_, index) => index)

describe('subset', () => {
  it('DS-1: numbered clients in whole rounds are spread exactly', () => {
    // 10 subsets of 10: 300 clients are 30 rounds, so each endpoint has 30 clients.
    expect(new Set(loads(named(100), 10, numbered))).toEqual(new Set([30]))
  })

  it('DS-1: where the sizes do not divide, the least and the most stay close', () => {
    const counts = loads(named(103), 10, numbered)
    // Three endpoints are left over in each of 30 rounds, others each time.
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(25)
    expect(Math.max(...counts)).toBeLessThanOrEqual(30)
  })

  it('named clients are spread evenly on average', () => {
    const counts = loads(
      named(100),
      10,
      numbered.map((client) => `client-${client}`),
    )
    // Mean 30, binomial deviation 5.2: five of them either way.
    expect(Math.min(...counts)).toBeGreaterThan(4)
    expect(Math.max(...counts)).toBeLessThan(56)
  })

  it('DS-1: deterministic, and independent of the order of the list', () => {
    const options = { size: 5, clientId: 'orders-7' }
    const forward = idsOf(subset(fixedEndpoints(named(50)), options))
    const backward = idsOf(subset(fixedEndpoints(named(50).reverse()), options))
    expect(backward).toEqual(forward)
    // Fixed for ever: processes of two versions must agree on who takes what.
    expect(
      idsOf(subset(fixedEndpoints(named(9)), { size: 3, clientId: 4 })),
    ).toMatchInlineSnapshot(`
      [
        "e0",
        "e5",
        "e8",
      ]
    `)
  })

  it('an endpoint that comes or goes moves at most one or two of each subset', () => {
    let moved = 0
    for (const clientId of numbered) {
      const before = new Set(idsOf(subset(fixedEndpoints(named(105)), { size: 10, clientId })))
      const after = idsOf(subset(fixedEndpoints(named(104)), { size: 10, clientId }))
      const changes = after.filter((id) => !before.has(id)).length
      expect(changes).toBeLessThanOrEqual(1)
      moved += changes
    }
    expect(moved).toBeGreaterThan(0)
  })

  it('follows its source, and keeps its array when nothing of its own changed', () => {
    let list: readonly Endpoint[] = named(20)
    const source: EndpointSource = { endpoints: () => list, subscribe: () => () => {} }
    const few = subset(source, { size: 30, clientId: 0 })
    const first = few.endpoints()
    expect(few.endpoints()).toBe(first)
    list = [...list]
    expect(few.endpoints()).toBe(first)
    list = list.slice(1)
    expect(few.endpoints().length).toBe(19)
    expect(() => subset(source, { size: 0, clientId: 0 })).toThrow(/size is 0/)
  })
})
