import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RandomSource } from '../../runtime/random.ts'
import { drawsOf, seedKey } from '../../simulation/chance.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Balancer } from './balancer.ts'
import { roundRobin } from './round-robin.ts'

function seeded(seed: number): RandomSource {
  const draws = drawsOf(seedKey(seed))
  return { fraction: () => draws.fraction(), bytes: () => new Uint8Array(), id: () => 'id' }
}

function endpoint(id: string, weight = 1): Endpoint {
  return { id, address: `${id}:1`, weight, instance: id, metadata: {} }
}

const named = (count: number): Endpoint[] =>
  Array.from({ length: count }, (_, index) => endpoint(`e${index}`))

/** Lists that change between picks; `e0` and `e1` are always there. */
const histories = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<'pick'>('pick') },
    { weight: 1, arbitrary: fc.subarray(['e2', 'e3', 'e4', 'e5', 'e6'], { minLength: 0 }) },
  ),
  { maxLength: 200 },
)

/** Throws if a removed endpoint is chosen, or if two that were there all the time drift apart. */
function judge(balancer: Balancer, history: readonly ('pick' | string[])[]): void {
  let listed = new Set(['e0', 'e1'])
  const counts = { e0: 0, e1: 0 }
  balancer.update([...listed].map((id) => endpoint(id)))
  for (const step of history) {
    if (step === 'pick') {
      const id = balancer.pick()?.endpoint.id ?? 'nobody'
      expect(listed).toContain(id)
      if (id === 'e0' || id === 'e1') counts[id]++
      expect(Math.abs(counts.e0 - counts.e1)).toBeLessThanOrEqual(1)
    } else {
      listed = new Set([...step, 'e0', 'e1'])
      balancer.update([...listed].map((id) => endpoint(id)))
    }
  }
}

describe('round robin', () => {
  it('RR-1: k·n picks choose each of n endpoints exactly k times', () => {
    for (const count of [1, 2, 3, 7, 100]) {
      const balancer = roundRobin(seeded(count))
      balancer.update(named(count))
      const counts = new Map<string, number>()
      for (let pick = 0; pick < 5 * count; pick++) {
        const id = balancer.pick()?.endpoint.id ?? 'nobody'
        counts.set(id, (counts.get(id) ?? 0) + 1)
      }
      expect(counts.size).toBe(count)
      expect([...counts.values()].every((picks) => picks === 5)).toBe(true)
    }
  })

  it('RR-1, LB-1: fair between those who stay, whatever comes and goes between picks', () => {
    fc.assert(
      fc.property(fc.nat(), histories, (seed, history) => {
        judge(roundRobin(seeded(seed)), history)
      }),
      { seed: 11, numRuns: 500 },
    )
  })

  it('the judge sees a ring that starts again at each change (negative control)', () => {
    const forgetful = (seed: number): Balancer => {
      let inner = roundRobin(seeded(seed))
      return {
        name: 'forgetful',
        update(endpoints) {
          inner = roundRobin(seeded(seed))
          inner.update(endpoints)
        },
        pick: () => inner.pick(),
      }
    }
    const property = fc.property(fc.nat(), histories, (seed, history) => {
      judge(forgetful(seed), history)
    })
    expect(fc.check(property, { seed: 11, numRuns: 500 }).failed).toBe(true)
  })

  it('LB-1: the turn of a removed endpoint goes to nobody twice', () => {
    const balancer = roundRobin(seeded(3))
    balancer.update(named(4))
    const order = [0, 1, 2, 3].map(() => balancer.pick()?.endpoint.id)
    const gone = order[1]
    balancer.pick()
    balancer.update(named(4).filter(({ id }) => id !== gone))
    const after = [0, 1, 2, 3, 4, 5].map(() => balancer.pick()?.endpoint.id)
    expect(after).toEqual([order[2], order[3], order[0], order[2], order[3], order[0]])
  })

  it('LB-3: clients start at different endpoints, and meet a newcomer at different times', () => {
    const firsts = new Array<number>(10).fill(0)
    const waits = new Array<number>(11).fill(0)
    for (let client = 0; client < 1_000; client++) {
      const balancer = roundRobin(seeded(client))
      balancer.update(named(10))
      const first = Number(balancer.pick()?.endpoint.id.slice(1))
      firsts[first] = (firsts[first] ?? 0) + 1
      balancer.update(named(11))
      let wait = 0
      while (balancer.pick()?.endpoint.id !== 'e10') wait++
      waits[wait] = (waits[wait] ?? 0) + 1
    }
    // Chi-square with 9 and 10 degrees of freedom: 33.7 and 35.6 at p = 0.0001.
    expect(chiSquare(firsts)).toBeLessThan(33.7)
    expect(chiSquare(waits)).toBeLessThan(35.6)
  })

  it('LB-5: weight 0 drains, live; nobody with weight is no choice', () => {
    const balancer = roundRobin(seeded(1))
    expect(balancer.pick()).toBeUndefined()
    balancer.update([endpoint('a'), endpoint('b', 0)])
    expect([balancer.pick(), balancer.pick()].map((choice) => choice?.endpoint.id)).toEqual([
      'a',
      'a',
    ])
    balancer.update([endpoint('a', 0), endpoint('b', 0)])
    expect(balancer.pick()).toBeUndefined()
  })

  it('RY-4: an excluded endpoint is chosen only if nothing else is left', () => {
    const balancer = roundRobin(seeded(1))
    balancer.update(named(2))
    for (let pick = 0; pick < 4; pick++) {
      expect(balancer.pick(new Set(['e0']))?.endpoint.id).toBe('e1')
    }
    expect(balancer.pick(new Set(['e0', 'e1']))).toBeDefined()
  })

  it('the newest description of an endpoint is the one handed out', () => {
    const balancer = roundRobin(seeded(1))
    balancer.update([endpoint('a')])
    balancer.update([{ ...endpoint('a'), metadata: { version: '2' } }])
    expect(balancer.pick()?.endpoint.metadata).toEqual({ version: '2' })
  })
})

function chiSquare(counts: readonly number[]): number {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0)
}
