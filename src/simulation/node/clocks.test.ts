/** Two clocks that disagree on purpose, and pauses in which only the clocks go on. */
import { describe, expect, it } from 'vitest'
import { sleep } from '../../runtime/sleep.ts'
import { expectClean, inVirtualTime, simulate } from '../../testing/index.ts'

describe('clocks', () => {
  it('a step moves the wall clock of one machine and no monotonic clock', async () => {
    await inVirtualTime(async (world, runtime) => {
      const before = { wall: runtime.clock.wallMs(), monotonic: runtime.clock.monotonicMs() }
      world.faults.stepWallClock('machine', -86_400_000)
      expect(runtime.clock.wallMs()).toBe(before.wall - 86_400_000)
      expect(runtime.clock.monotonicMs()).toBe(before.monotonic)
    })
  })

  it('the monotonic clock never goes back, whatever the faults', async () => {
    const report = await simulate({ seeds: 60, faults: 'all', durationMs: 20_000 }, (world) => {
      const latest = new Map<string, number>()
      let backwards = 0
      world.invariant('monotonic', () => backwards === 0 || 'the monotonic clock went back')
      for (const name of ['a', 'b']) {
        world.machine(name).process('ticker', async (own) => {
          for (;;) {
            const key = `${name} ${own.clock.bootId}`
            const nowMs = own.clock.monotonicMs()
            if (nowMs < (latest.get(key) ?? 0)) backwards++
            latest.set(key, nowMs)
            await sleep(own.timers, 100)
          }
        })
      }
      world.client('client', (runtime) => sleep(runtime.timers, 15_000))
    })
    expectClean(report, 30)
    expect(report.struck['wall-clock-step']).toBeGreaterThan(0)
    expect(report.struck['machine-crash']).toBeGreaterThan(0)
  })

  it('G-14c: a pause longer than a lease: the process believes, the clock knows', async () => {
    await inVirtualTime(async (world, runtime) => {
      const seen: number[] = []
      const holder = world.machine('other').process('holder', async (own) => {
        const leaseEndsMs = own.clock.monotonicMs() + 10_000
        for (let check = 0; check < 5; check++) {
          await sleep(own.timers, 1_000)
          seen.push(leaseEndsMs - own.clock.monotonicMs())
        }
      })
      await sleep(runtime.timers, 1_500)
      holder.pause(12_000)
      await sleep(runtime.timers, 11_900)
      expect(seen).toEqual([9_000])
      await sleep(runtime.timers, 20_000)
      // The timer of 2,000 fires at 13,500, when the lease is long over.
      expect(seen).toEqual([9_000, -3_500, -4_500, -5_500, -6_500])
    })
  })

  it('a pause keeps the order of what was put off', async () => {
    await inVirtualTime(async (world, runtime) => {
      const order: number[] = []
      const paused = world.machine('other').process('p', async (own) => {
        for (let n = 0; n < 50; n++) own.timers.schedule(100 + n, () => order.push(n))
        await sleep(own.timers, 10_000)
      })
      await sleep(runtime.timers, 50)
      paused.pause(5_000)
      await sleep(runtime.timers, 20_000)
      expect(order).toEqual(Array.from({ length: 50 }, (_, n) => n))
    })
  })
})
