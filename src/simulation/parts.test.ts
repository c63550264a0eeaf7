/** The small parts that everything rests on: draws, the queue, a file's page cache, shrinking. */
import { describe, expect, it } from 'vitest'
import { drawsOf, hashText, mix } from './chance.ts'
import { fileNode } from './disk-file.ts'
import { eventQueue, type SimulatedEvent } from './event-queue.ts'
import { faultKinds, planFaults } from './fault-plan.ts'
import { incarnation } from './incarnation.ts'
import { shrinkPlan } from './shrink.ts'
import type { Fault } from './world.ts'

describe('draws', () => {
  it('are the same on every machine, for ever', () => {
    expect(mix(1, 2)).toBe(mix(1, 2))
    expect([hashText('a'), hashText('b'), mix(0, 0)]).toMatchInlineSnapshot(`
      [
        3550347826,
        1740293058,
        1577955638,
      ]
    `)
  })

  it('are uniform enough: 16 buckets of 160,000 draws, chi-square below 44 (p = 0.0001)', () => {
    for (const key of [0, 1, 0xffffffff, hashText('x')]) {
      const draws = drawsOf(key)
      const buckets = new Array<number>(16).fill(0)
      for (let n = 0; n < 160_000; n++) {
        const bucket = Math.floor(draws.fraction() * 16)
        buckets[bucket] = (buckets[bucket] ?? 0) + 1
      }
      const chi = buckets.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
      expect(chi).toBeLessThan(44)
    }
  })
})

describe('the queue', () => {
  const owner = incarnation('p', 1)
  const event = (atUs: number, tie: number): SimulatedEvent => ({
    atUs,
    tie,
    owner,
    kind: 'k',
    digest: 0,
    deferred: false,
    run: () => {},
  })

  it('gives events in order of time and tie, also after a purge', () => {
    const draws = drawsOf(7)
    const queue = eventQueue()
    for (let n = 0; n < 2_000; n++) queue.push(event(draws.below(100), draws.word()))
    queue.purge(({ atUs }) => atUs % 3 === 0)
    const out: SimulatedEvent[] = []
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) out.push(next)
    const sorted = [...out].sort((a, b) => a.atUs - b.atUs || a.tie - b.tie)
    expect(out).toEqual(sorted)
    expect(out.some(({ atUs }) => atUs % 3 === 0)).toBe(false)
    expect(out.length).toBeGreaterThan(1_000)
  })
})

describe('a file', () => {
  it('after a crash holds whole sectors, old or new, and nothing else', () => {
    for (let seed = 0; seed < 200; seed++) {
      const file = fileNode()
      file.write(0, new Uint8Array(2_048).fill(1))
      file.sync()
      file.write(100, new Uint8Array(1_500).fill(2))
      file.crash(drawsOf(seed), false)
      const bytes = file.read(0, 4_096)
      expect(bytes.length).toBe(2_048)
      for (const [start, end] of [
        [100, 512],
        [512, 1_024],
        [1_024, 1_536],
        [1_536, 1_600],
      ]) {
        expect(new Set(bytes.slice(start, end)).size).toBe(1)
      }
      expect(new Set([...bytes.slice(0, 100), ...bytes.slice(1_600)])).toEqual(new Set([1]))
    }
  })

  it('reads zeros in a gap, and nothing behind its end', () => {
    const file = fileNode()
    file.write(3, Uint8Array.of(7))
    expect([...file.read(0, 10)]).toEqual([0, 0, 0, 7])
    file.truncate(2)
    file.truncate(4)
    expect([...file.read(0, 10)]).toEqual([0, 0, 0, 0])
    expect([...file.read(9, 10)]).toEqual([])
  })
})

describe('plans', () => {
  it('differ from seed to seed, stay in bounds, and leave kinds out', () => {
    const options = { kinds: faultKinds, faultsMax: 20, durationMs: 60_000 }
    const plans = Array.from({ length: 300 }, (_, seed) => planFaults(seed, options))
    expect(new Set(plans.map((plan) => JSON.stringify(plan))).size).toBe(300)
    for (const plan of plans) {
      expect(plan.length).toBeGreaterThan(0)
      expect(plan.length).toBeLessThanOrEqual(20)
      for (const { atMs, durationMs } of plan) {
        expect(atMs).toBeLessThan(60_000)
        expect(durationMs).toBeLessThanOrEqual(30_000)
      }
    }
    const all = plans.flat()
    for (const kind of faultKinds) expect(all.some((fault) => fault.kind === kind)).toBe(true)
  })

  it('shrink to the faults that matter', async () => {
    const options = { kinds: faultKinds, faultsMax: 40, durationMs: 60_000 }
    const plan = [1, 2, 3]
      .flatMap((seed) => planFaults(seed, options))
      .map((fault, index): Fault => ({ ...fault, id: `g${index}` }))
    const needed = [plan[2]?.id, plan.at(-1)?.id]
    const fails = async (candidate: readonly Fault[]): Promise<boolean> =>
      needed.every((id) => candidate.some((fault) => fault.id === id))
    const shrunk = await shrinkPlan(plan, fails)
    expect(plan.length).toBeGreaterThan(4)
    expect(shrunk.map(({ id }) => id)).toEqual(needed)
  })

  it('finds the one fault that is enough, without running what fails more often than needed', async () => {
    const plan = planFaults(5, { kinds: faultKinds, faultsMax: 20, durationMs: 60_000 })
    const needed = plan.at(-2)?.id
    let failed = 0
    const oneNeeded = async (candidate: readonly Fault[]): Promise<boolean> => {
      const fails = candidate.some(({ id }) => id === needed)
      if (fails) failed += 1
      return fails
    }
    const shrunk = await shrinkPlan(plan, oneNeeded, () => true)
    expect([shrunk.map(({ id }) => id), failed]).toEqual([[needed], 1])
  })

  it('finds two that are enough where cutting down from above ends with three', async () => {
    const options = { kinds: faultKinds, faultsMax: 40, durationMs: 60_000 }
    const plan = [1, 2, 3]
      .flatMap((seed) => planFaults(seed, options))
      .map((fault, index): Fault => ({ ...fault, id: `g${index}` }))
    const ids = plan.map(({ id }) => id)
    const has = (all: readonly string[], some: readonly Fault[]): boolean =>
      all.every((id) => some.some((fault) => fault.id === id))
    let runs = 0
    const shrunk = await shrinkPlan(plan, async (candidate) => {
      runs += 1
      // The first half is left out first, and the three at the end go on failing.
      return has(ids.slice(-3), candidate) || has(ids.slice(0, 2), candidate)
    })
    expect(shrunk.map(({ id }) => id)).toEqual(ids.slice(0, 2))
    expect(runs).toBeGreaterThan(plan.length)
  })
})
