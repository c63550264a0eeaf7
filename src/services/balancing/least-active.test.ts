import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RandomSource } from '../../runtime/random.ts'
import { drawsOf, seedKey } from '../../simulation/chance.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Choice } from './balancer.ts'
import { type LeastActive, leastActive } from './least-active.ts'

function seeded(seed: number): RandomSource {
  const draws = drawsOf(seedKey(seed))
  return { fraction: () => draws.fraction(), bytes: () => new Uint8Array(), id: () => 'id' }
}

function endpoint(id: string, weight = 1): Endpoint {
  return { id, address: `${id}:1`, weight, instance: id, metadata: {} }
}

function balancerOf(seed: number, weights: readonly number[]): LeastActive {
  const balancer = leastActive(seeded(seed))
  balancer.update(weights.map((weight, index) => endpoint(`e${index}`, weight)))
  return balancer
}

function pick(balancer: LeastActive, exclude?: ReadonlySet<string>): Choice {
  const choice = balancer.pick(exclude)
  if (choice === undefined) throw new Error('nobody to choose')
  return choice
}

const indexOf = (choice: Choice): number => Number(choice.endpoint.id.slice(1))

/** Each step picks, changes the list, or finishes some call in some way, perhaps twice. */
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant<'pick'>('pick') }),
    fc.record({
      kind: fc.constant<'list'>('list'),
      weights: fc.array(fc.integer({ min: 0, max: 9 })),
    }),
    fc.record({
      kind: fc.constant<'finish'>('finish'),
      which: fc.nat(),
      result: fc.constantFrom<'succeeded' | 'failed' | 'cancelled'>(
        'succeeded',
        'failed',
        'cancelled',
      ),
      twice: fc.boolean(),
    }),
  ),
  { maxLength: 200 },
)
type Step = typeof steps extends fc.Arbitrary<(infer One)[]> ? One : never

function judge(balancer: LeastActive, history: readonly Step[]): void {
  const open: Choice[] = []
  let weights: readonly number[] = []
  for (const step of history) {
    if (step.kind === 'list') {
      weights = step.weights
      balancer.update(weights.map((weight, index) => endpoint(`e${index}`, weight)))
    } else if (step.kind === 'pick') {
      const choice = balancer.pick()
      if (choice !== undefined) open.push(choice)
      expect(choice !== undefined).toBe(weights.some((weight) => weight > 0))
      if (choice !== undefined) expect(weights[indexOf(choice)]).toBeGreaterThan(0)
    } else {
      const [choice] = open.splice(step.which % Math.max(1, open.length), 1)
      choice?.finish(step.result, 1)
      if (step.twice) choice?.finish('failed', 1)
    }
    expect(balancer.inFlight()).toBe(open.length)
  }
  for (const choice of open) choice.finish('cancelled', 1)
  expect(balancer.inFlight()).toBe(0)
  weights.forEach((_, index) => {
    expect(balancer.inFlightOf(`e${index}`)).toBe(0)
  })
}

describe('least active', () => {
  it('LB-1, LB-2, LB-5: in flight counts each choice once, ends at zero; nobody gone is chosen', () => {
    fc.assert(
      fc.property(fc.nat(), steps, (seed, history) => judge(leastActive(seeded(seed)), history)),
      { seed: 12, numRuns: 500 },
    )
  })

  it('the judge sees a finish that counts twice (negative control)', () => {
    const property = fc.property(fc.nat(), steps, (seed, history) => {
      const balancer = leastActive(seeded(seed))
      let wrong = 0
      judge(
        {
          ...balancer,
          pick: () => {
            const choice = balancer.pick()
            return choice && { endpoint: choice.endpoint, finish: () => void wrong-- }
          },
          inFlight: () => balancer.inFlight() + wrong,
        },
        history,
      )
    })
    expect(fc.check(property, { seed: 12, numRuns: 500 }).failed).toBe(true)
  })

  it('PC-2: two distinct candidates, so of two endpoints the idle one is always taken', () => {
    for (const weights of [
      [1, 1],
      [1, 1_000],
    ]) {
      const balancer = balancerOf(1, weights)
      const busy = pick(balancer)
      for (let call = 0; call < 100; call++) {
        const choice = pick(balancer)
        expect(choice.endpoint.id).not.toBe(busy.endpoint.id)
        choice.finish('succeeded', 1)
      }
    }
  })

  it('PC-1: the fullest of n after n calls holds about log log n, far below a single choice', () => {
    const count = 10_000
    const balancer = balancerOf(5, new Array<number>(count).fill(1))
    const single = new Array<number>(count).fill(0)
    const random = seeded(6)
    let most = 0
    for (let call = 0; call < count; call++) {
      most = Math.max(most, balancer.inFlightOf(pick(balancer).endpoint.id))
      const index = Math.floor(random.fraction('') * count)
      single[index] = (single[index] ?? 0) + 1
    }
    expect(most).toBeLessThanOrEqual(4)
    expect(Math.max(...single)).toBeGreaterThanOrEqual(6)
  })

  it('LC-1, LB-7: idle, calls follow the weights (chi-square)', () => {
    const weights = [1, 2, 3, 4, 10, 0, 30]
    const balancer = balancerOf(7, weights)
    const counts = weights.map(() => 0)
    const calls = 50_000
    for (let call = 0; call < calls; call++) {
      const choice = pick(balancer)
      counts[indexOf(choice)] = (counts[indexOf(choice)] ?? 0) + 1
      choice.finish('succeeded', 1)
    }
    const sum = weights.reduce((total, weight) => total + weight, 0)
    const chiSquare = weights.reduce((total, weight, index) => {
      const expected = (calls * weight) / sum
      return weight === 0 ? total : total + ((counts[index] ?? 0) - expected) ** 2 / expected
    }, 0)
    expect(counts[5]).toBe(0)
    expect(chiSquare).toBeLessThan(25.7) // 5 degrees of freedom, p = 0.0001
  })

  it('LC-1: under load, calls in flight follow the weights', () => {
    const weights = [10, 20, 40]
    const balancer = balancerOf(8, weights)
    for (let call = 0; call < 7_000; call++) pick(balancer)
    weights.forEach((weight, index) => {
      expect(balancer.inFlightOf(`e${index}`) / (100 * weight)).toBeCloseTo(1, 1)
    })
  })

  it('LB-3: a tie is broken by chance', () => {
    const counts = new Array<number>(10).fill(0)
    for (let client = 0; client < 2_000; client++) {
      const index = indexOf(pick(balancerOf(client, new Array<number>(10).fill(1))))
      counts[index] = (counts[index] ?? 0) + 1
    }
    const chiSquare = counts.reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0)
    expect(chiSquare).toBeLessThan(33.7) // 9 degrees of freedom, p = 0.0001
  })

  /** The share of the first endpoint, while twenty calls run on the others at any time. */
  function shareOfFirst(balancer: LeastActive, calls: number, itsFate: 'failed' | 'succeeded') {
    const running: Choice[] = []
    let hits = 0
    for (let call = 0; call < calls; call++) {
      const choice = pick(balancer)
      const isFirst = indexOf(choice) === 0
      if (isFirst) hits++
      if (isFirst && itsFate === 'failed') choice.finish('failed', 0)
      else running.push(choice)
      if (running.length > 20) running.shift()?.finish('succeeded', 20)
    }
    for (const choice of running) choice.finish('succeeded', 20)
    return hits / calls
  }

  it('LB-4: an endpoint that fails at once attracts no traffic, and comes back when repaired', () => {
    const balancer = balancerOf(9, new Array<number>(10).fill(1))
    expect(shareOfFirst(balancer, 1_000, 'succeeded')).toBeCloseTo(0.1, 1)
    const broken = shareOfFirst(balancer, 10_000, 'failed')
    expect(broken).toBeGreaterThan(0)
    expect(broken).toBeLessThan(0.01)
    shareOfFirst(balancer, 500, 'succeeded')
    expect(shareOfFirst(balancer, 5_000, 'succeeded')).toBeGreaterThan(0.08)

    const heavy = balancerOf(9, [50, ...new Array<number>(9).fill(5)])
    expect(shareOfFirst(heavy, 10_000, 'failed')).toBeLessThan(0.05)
  })

  it('LB-4: without the penalty it attracts far more than its share (negative control)', () => {
    const balancer = balancerOf(9, new Array<number>(10).fill(1))
    const blind: LeastActive = {
      ...balancer,
      pick: () => {
        const choice = balancer.pick()
        return choice && { ...choice, finish: (_, tookMs) => choice.finish('cancelled', tookMs) }
      },
    }
    expect(shareOfFirst(blind, 10_000, 'failed')).toBeGreaterThan(0.15)
  })

  it('RY-4: excluded endpoints are avoided while another is left, without favour to a neighbour', () => {
    const balancer = balancerOf(10, new Array<number>(5).fill(1))
    const counts = new Array<number>(5).fill(0)
    for (let call = 0; call < 4_000; call++) {
      const choice = pick(balancer, new Set(['e2']))
      counts[indexOf(choice)] = (counts[indexOf(choice)] ?? 0) + 1
      choice.finish('succeeded', 1)
    }
    expect(counts[2]).toBe(0)
    expect(Math.max(...counts)).toBeLessThan(1_150)
    const all = new Set(['e0', 'e1', 'e2', 'e3', 'e4'])
    expect(balancer.pick(all)).toBeDefined()
    all.delete('e3')
    expect(pick(balancer, all).endpoint.id).toBe('e3')
  })
})
