/** Clocks that part, stand still and freeze; connections that nobody told they are over; late datagrams. */
import { describe, expect, it } from 'vitest'
import { leaseDriftMargin } from '../../ports/index.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { type Fault, type FaultKind, simulate, type World } from '../../testing/index.ts'

const forever = (): Promise<never> => new Promise(() => {})
const fault = (kind: FaultKind, target: string, amount: number, durationMs = 600_000): Fault => ({
  id: `${kind} ${target}`,
  kind,
  atMs: 100,
  durationMs,
  target,
  amount,
})

/** A holder believes in its lease for `ttl * (1 - margin)` of its own time; the store, for `ttl` of its. */
function leased(margin: number): (world: World) => void {
  return (world) => {
    const ttlMs = 100_000
    let held = (): boolean => false
    world.machine('store').process('p', async (own) => {
      await own.network.bind('store:1', () => {
        own.timers.schedule(ttlMs, () => {
          if (held()) world.fail('lease', 'the store gave it on while the holder believed')
        })
      })
      await forever()
    })
    world.client('holder', async (own) => {
      await sleep(own.timers, 1_000)
      const untilMs = own.clock.monotonicMs() + ttlMs * (1 - margin)
      const socket = await own.network.bind('holder:1', () => {})
      held = () => own.clock.monotonicMs() < untilMs
      socket.send('store:1', Uint8Array.of(1))
      await sleep(own.timers, 2 * ttlMs)
    })
  }
}

describe('monotonic clocks that part', () => {
  const plan = [
    fault('monotonic-drift', 'store', 5_000),
    fault('monotonic-drift', 'holder', -5_000),
  ]
  const options = { seeds: 10, plan, durationMs: 600_000 }

  it('G-2: stay within the drift margin of leases, and catch who has none', async () => {
    expect((await simulate(options, leased(leaseDriftMargin))).failures).toEqual([])
    expect((await simulate(options, leased(0))).failures[0]?.name).toBe('lease')
  })

  it('never let a timer fire before its time by its own clock', async () => {
    const faults: readonly FaultKind[] = ['monotonic-drift', 'suspend', 'machine-crash']
    const run = { seeds: 60, faults, durationMs: 60_000 }
    const report = await simulate(run, (world) => {
      world.machine('m').process('p', async (own) => {
        for (;;) {
          const startMs = own.clock.monotonicMs()
          const delayMs = Math.floor(own.random.fraction('delay') * 3_000)
          await sleep(own.timers, delayMs)
          const passedMs = own.clock.monotonicMs() - startMs
          // Times are fractions of milliseconds: the last digits of a sum may differ.
          if (passedMs < delayMs - 0.002) world.fail('early', `${passedMs} of ${delayMs} ms`)
        }
      })
      world.client('c', (runtime) => sleep(runtime.timers, 50_000))
    })
    expect(report.failures).toEqual([])
    expect(report.struck['monotonic-drift']).toBeGreaterThan(20)
    expect(report.struck.suspend).toBeGreaterThan(20)
  })
})

describe('clocks that stand still', () => {
  const readings = async (kind: FaultKind): Promise<{ wall: number; monotonic: number }> => {
    const passed = { wall: 0, monotonic: 0 }
    const plan = [fault(kind, 'm', 0, 5_000)]
    const report = await simulate({ plan }, (world) => {
      world.machine('m').process('p', async (own) => {
        await sleep(own.timers, 50)
        const wallMs = own.clock.wallMs()
        const monotonicMs = own.clock.monotonicMs()
        await sleep(own.timers, 2_000)
        passed.wall = own.clock.wallMs() - wallMs
        passed.monotonic = own.clock.monotonicMs() - monotonicMs
        await forever()
      })
      world.client('c', (runtime) => sleep(runtime.timers, 20_000))
    })
    expect(report.failures).toEqual([])
    return passed
  }

  it('the wall clock alone', async () => {
    const { wall, monotonic } = await readings('wall-clock-freeze')
    expect(wall).toBeLessThan(100)
    expect(monotonic).toBeGreaterThanOrEqual(2_000)
  })

  it('a suspended machine: five seconds pass outside, none inside', async () => {
    const { wall, monotonic } = await readings('suspend')
    expect(monotonic).toBeLessThan(2_100)
    expect(wall).toBeGreaterThan(6_900)
  })
})

/** Asks, and waits for the answer: for ever, or with a limit and another connection. */
function asking(limitMs: number | undefined): (world: World) => void {
  return (world) => {
    world.machine('server').process('p', async (own) => {
      await own.network.listen('server:80', (stream) => {
        stream.receive({ data: (bytes) => stream.write(bytes), ended() {}, failed() {} })
      })
      await forever()
    })
    world.client('c', async (own) => {
      await sleep(own.timers, 50)
      for (let call = 0; call < 30; call++) await ask(own, limitMs)
    })
  }
}

async function ask(own: Runtime, limitMs: number | undefined): Promise<void> {
  for (;;) {
    const stream = await own.network
      .connect('server:80', { timeoutMs: 1_000 })
      .catch(() => undefined)
    if (stream === undefined) continue
    const answered = await new Promise<boolean>((resolve) => {
      stream.receive({
        data: () => resolve(true),
        ended: () => resolve(false),
        // A careless reader: it never sends again, so nothing ever tells it.
        failed: () => (limitMs === undefined ? undefined : resolve(false)),
      })
      own.timers.schedule(100, () => stream.write(Uint8Array.of(1)))
      if (limitMs !== undefined) own.timers.schedule(limitMs, () => resolve(false))
    })
    stream.destroy()
    if (answered) return
  }
}

describe('a half-open connection', () => {
  const half = (atMs: number): Fault => ({ ...fault('half-open', 'any:1', 1), id: `${atMs}`, atMs })
  const plan = [200, 900, 1_600, 2_300].map(half)

  it('leaves for ever who waits without a limit', async () => {
    const careful = await simulate({ seeds: 20, plan, livenessMs: 100_000 }, asking(1_000))
    expect(careful.failures).toEqual([])
    expect(careful.struck['half-open']).toBeGreaterThan(20)
    const careless = await simulate({ seeds: 20, plan, livenessMs: 100_000 }, asking(undefined))
    expect(careless.failures[0]?.name).toBe('no-progress')
  })
})

describe('disorder of datagrams', () => {
  const arrivals = async (plan: readonly Fault[]): Promise<readonly number[]> => {
    const seen: number[] = []
    await simulate({ plan }, (world) => {
      world.machine('b').process('p', async (own) => {
        await own.network.bind('b:1', ({ bytes }) => seen.push(bytes[0] ?? 0))
        await forever()
      })
      world.client('a', async (own) => {
        const socket = await own.network.bind('a:1', () => {})
        await sleep(own.timers, 200)
        for (let n = 0; n < 100; n++) {
          socket.send('b:1', Uint8Array.of(n))
          await sleep(own.timers, 50)
        }
        await sleep(own.timers, 1_000)
      })
    })
    return seen
  }

  it('doubles and overtakes, and loses none', async () => {
    const seen = await arrivals([fault('datagram-disorder', 'any:1', 0.5)])
    expect(new Set(seen).size).toBe(100)
    expect(seen.length).toBeGreaterThan(105)
    const swaps = seen.filter((value, index) => value < (seen[index - 1] ?? 0)).length
    expect(swaps).toBeGreaterThan(10)
    const calm = await arrivals([])
    expect(calm).toEqual([...calm].sort((left, right) => left - right))
  })
})
