/** Programs that know no Runtime, each on a machine with clocks and chance of its own. */
import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { sleep } from '../../runtime/sleep.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { patched } from './index.ts'

interface Seen {
  readonly wallMs: number
  readonly year: number
  readonly passedMs: number
  readonly ticks: number
  readonly chance: readonly unknown[]
}

/** Written by somebody who never heard of us. */
async function unmodified(): Promise<Seen> {
  const startMs = performance.now()
  let ticks = 0
  const ticking = setInterval(() => ticks++, 100)
  const never = setTimeout(() => {
    ticks += 1_000
  }, 500)
  clearTimeout(never)
  await new Promise((resolve) => setTimeout(resolve, 1_000, 'done'))
  await wait(2_000)
  clearInterval(ticking)
  const limit = AbortSignal.timeout(50)
  await new Promise((resolve) => limit.addEventListener('abort', resolve))
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(4))
  return {
    wallMs: Date.now(),
    year: new Date().getUTCFullYear(),
    passedMs: performance.now() - startMs,
    ticks,
    chance: [Math.random(), randomUUID(), ...bytes],
  }
}

async function run(firstSeed: number): Promise<readonly Seen[]> {
  const seen: Seen[] = []
  const report = await simulate({ firstSeed, twiceEvery: 1 }, (world) => {
    for (const name of ['a', 'b']) {
      const main = patched(async () => void seen.push(await unmodified()))
      world.machine(name).client('main', main)
    }
    world.faults.stepWallClock('b', 3_600_000)
  })
  expectClean(report)
  return seen
}

describe('an unmodified program', () => {
  it('sees the clocks and the chance of its machine, and the same ones for the same seed', async () => {
    const realMs = performance.now()
    const [first, second, again] = await run(1)
    expect(first?.year).toBe(2030)
    expect(first?.passedMs).toBeCloseTo(3_050, 0)
    expect(first?.ticks).toBe(30)
    expect(Math.abs((first?.wallMs ?? 0) - (second?.wallMs ?? 0))).toBeGreaterThan(3_590_000)
    expect(first?.chance).not.toEqual(second?.chance)
    expect(first?.chance[1]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-/)
    expect(again).toEqual(first)
    expect((await run(2))[0]?.chance).not.toEqual(first?.chance)
    expect(performance.now() - realMs).toBeLessThan(3_000)
  })

  it('is dead when it is killed: its intervals tick no more', async () => {
    let ticks = 0
    let atDeath = 0
    const report = await simulate({}, (world) => {
      const main = patched(async () => {
        setInterval(() => ticks++, 100)
        await new Promise(() => {})
      })
      const process = world.machine('m').process('p', main)
      world.client('c', async (own) => {
        await sleep(own.timers, 1_050)
        process.kill()
        atDeath = ticks
        await sleep(own.timers, 5_000)
      })
    })
    expectClean(report)
    expect([atDeath, ticks]).toEqual([10, 10])
  })

  it('leaves its neighbours alone: who did not ask is still refused', async () => {
    const report = await simulate({}, (world) => {
      world.machine('m').process(
        'p',
        patched(async () => void Date.now()),
      )
      world.client('c', async () => void Date.now())
    })
    expect(report.failures[0]?.name).toBe('nondeterminism')
    expect(new Date(Date.now()).toDateString()).toBe(new Date().toDateString())
  })

  it('is refused what is not covered', async () => {
    const report = await simulate({}, (world) => {
      world.client(
        'c',
        patched(async () => void (await fetch('https://b'))),
      )
    })
    expect(report.failures[0]?.error).toMatchObject({
      cause: { message: 'a simulated world has no https: for fetch, only http:' },
    })
  })
})
