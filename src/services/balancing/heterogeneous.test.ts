import { describe, expect, it } from 'vitest'
import type { RandomSource } from '../../runtime/random.ts'
import { drawsOf, seedKey } from '../../simulation/chance.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Balancer, Choice } from './balancer.ts'
import { leastActive } from './least-active.ts'
import { roundRobin } from './round-robin.ts'

/**
 * Twenty servers with one queue each, four of them at half speed, three quarters loaded in all, calls
 * arriving by chance. Round robin gives each the same and drowns the slow; least active must not.
 */
const servers = 20
const serviceMs = (server: number): number => (server < 4 ? 20 : 10)
const capacityPerMs = 4 / 20 + 16 / 10
const meanGapMs = 1 / (0.75 * capacityPerMs)

function seeded(seed: number): RandomSource {
  const draws = drawsOf(seedKey(seed))
  return { fraction: () => draws.fraction(), bytes: () => new Uint8Array(), id: () => 'id' }
}

const endpoints: readonly Endpoint[] = Array.from({ length: servers }, (_, index) => ({
  ...{ id: `${index}`, address: `h${index}:1`, weight: 1, instance: `${index}`, metadata: {} },
}))

interface Result {
  readonly p50Ms: number
  readonly p99Ms: number
  /** The busiest server's calls waiting and served, averaged over time, against the mean of all. */
  readonly maxOverMean: number
}

function run(balancer: Balancer, calls: number): Result {
  const random = seeded(99)
  balancer.update(endpoints)
  const freeAtMs = new Array<number>(servers).fill(0)
  const busyMs = new Array<number>(servers).fill(0)
  const running: { readonly endMs: number; readonly choice: Choice; readonly tookMs: number }[] = []
  const latencies: number[] = []
  for (let call = 0, nowMs = 0; call < calls; call++) {
    nowMs += -Math.log(1 - random.fraction('')) * meanGapMs
    // Ends are found in any order: what counts is that all before now have ended.
    for (let at = running.length - 1; at >= 0; at--) {
      const one = running[at]
      if (one === undefined || one.endMs > nowMs) continue
      one.choice.finish('succeeded', one.tookMs)
      running.splice(at, 1)
    }
    const choice = balancer.pick()
    if (choice === undefined) throw new Error('nobody to choose')
    const server = Number(choice.endpoint.id)
    const workMs = -Math.log(1 - random.fraction('')) * serviceMs(server)
    const endMs = Math.max(nowMs, freeAtMs[server] ?? 0) + workMs
    freeAtMs[server] = endMs
    const tookMs = endMs - nowMs
    busyMs[server] = (busyMs[server] ?? 0) + tookMs
    running.push({ endMs, choice, tookMs })
    latencies.push(tookMs)
  }
  latencies.sort((a, b) => a - b)
  const quantile = (share: number): number => latencies[Math.floor(share * calls)] ?? 0
  const mean = busyMs.reduce((sum, ms) => sum + ms, 0) / servers
  return {
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxOverMean: Math.max(...busyMs) / mean,
  }
}

describe('servers of different speed', () => {
  it('LB-7, LC-2: least active keeps the slow from drowning, where round robin does not', () => {
    const even = run(roundRobin(seeded(1)), 20_000)
    const least = run(leastActive(seeded(1)), 20_000)
    // Round robin offers a slow server a third more than it can serve: its queue only grows.
    expect(even.p99Ms).toBeGreaterThan(1_000)
    expect(even.maxOverMean).toBeGreaterThan(4)
    // By two choices the queues of all stay short, though nobody told it who is slow.
    expect(least.p99Ms).toBeLessThan(120)
    expect(least.p50Ms).toBeLessThan(30)
    expect(least.maxOverMean).toBeLessThan(1.7)
  })

  it('LC-1: and with weights that tell the truth it is better still', () => {
    const weighted = leastActive(seeded(1))
    const told: Balancer = {
      ...weighted,
      update: (list) =>
        weighted.update(list.map((one) => ({ ...one, weight: Number(one.id) < 4 ? 1 : 2 }))),
    }
    expect(run(told, 20_000).p99Ms).toBeLessThan(run(leastActive(seeded(1)), 20_000).p99Ms)
  })
})
