/** The simulator on trial: what it must notice about the scenarios, and about itself. */
import { describe, expect, it } from 'vitest'
import { sleep } from '../../runtime/sleep.ts'
import {
  expectClean,
  faultKinds,
  inVirtualTime,
  simulate,
  type World,
} from '../../testing/index.ts'

/** Three processes that chat over datagrams at random intervals. */
function chatter(world: World): void {
  const names = ['a', 'b', 'c']
  for (const name of names) {
    world.machine(name).process('chatter', async (own) => {
      const socket = await own.network.bind(`${name}:1`, ({ source, bytes }) => {
        own.probe.note('heard', { source, n: bytes[0] })
      })
      for (;;) {
        await sleep(own.timers, own.random.fraction('pause') * 500)
        const other = names[Math.floor(own.random.fraction('whom') * 3)]
        socket.send(`${other}:1`, own.random.bytes('what', 4))
      }
    })
  }
  world.client('client', (runtime) => sleep(runtime.timers, 5_000))
}

describe('a seed', () => {
  it('gives the same trace again, and another seed another', async () => {
    const options = { faults: 'all', durationMs: 5_000, twiceEvery: 1 } as const
    const hashes = new Set<string>()
    for (let firstSeed = 1; firstSeed <= 20; firstSeed++) {
      const report = await simulate({ ...options, firstSeed }, chatter)
      const again = await simulate({ ...options, firstSeed }, chatter)
      expect(report.failures).toEqual([])
      expect(again.traceHash).toBe(report.traceHash)
      hashes.add(report.traceHash)
    }
    expect(hashes.size).toBe(20)
  })

  it('replays from its plan', async () => {
    const broken = (world: World): void => {
      const process = world.machine('m').process('p', () => new Promise(() => {}))
      world.invariant('alive', () => process.alive || 'the process died')
      world.client('client', (runtime) => sleep(runtime.timers, 60_000))
    }
    const options = { seeds: 50, faults: 'all', shrink: true } as const
    const [failure] = (await simulate(options, broken)).failures
    expect(failure?.name).toBe('alive')
    expect(failure?.shrunkFaults).toHaveLength(1)
    const replay = await simulate(
      { firstSeed: failure?.seed ?? 0, plan: failure?.shrunkFaults ?? [] },
      broken,
    )
    expect(replay.failures[0]?.name).toBe('alive')
  })
})

describe('faults', () => {
  it('of every kind strike, each where it can', async () => {
    const options = { seeds: 150, faults: 'all', durationMs: 10_000 } as const
    const report = await simulate(options, (world) => {
      chatter(world)
      world.machine('a').process('server', async (own) => {
        await own.network.listen('a:80', (stream) => {
          stream.receive({ data() {}, ended() {}, failed() {} })
        })
        await new Promise(() => {})
      })
      world.client('caller', async (runtime) => {
        for (let call = 0; call < 20; call++) {
          await runtime.network.connect('a:80', { timeoutMs: 400 }).catch(() => {})
          await sleep(runtime.timers, 100)
        }
      })
    })
    expectClean(report, 100)
    for (const kind of faultKinds) expect(report.struck[kind], kind).toBeGreaterThan(0)
  })
})

describe('a leak of nondeterminism', () => {
  const leaks: readonly [string, () => unknown][] = [
    ['Math.random', () => Math.random()],
    ['Date.now', () => Date.now()],
    ['new Date()', () => new Date()],
    ['performance.now', () => performance.now()],
    ['setTimeout', () => setTimeout(() => {}, 0)],
    ['randomUUID', () => globalThis.crypto.randomUUID()],
  ]
  it.each(leaks)('%s is refused, even where its error is swallowed', async (name, leak) => {
    const report = await simulate({}, (world) => {
      world.client('client', async () => {
        try {
          leak()
        } catch {}
      })
    })
    expect(report.failures[0]).toMatchObject({ name: 'nondeterminism' })
    expect(report.failures[0]?.message).toContain(name)
    leak() // and works again outside
  })

  it('that no wire guards is found by running twice', async () => {
    let runs = 0
    const report = await simulate({ twiceEvery: 1 }, (world) => {
      runs++
      world.client('client', (runtime) => sleep(runtime.timers, runs))
    })
    expect(report.failures[0]?.name).toBe('nondeterminism')
  })

  it('does not include a date made from a number', async () => {
    await inVirtualTime(async (_world, runtime) => {
      const date = new Date(runtime.clock.wallMs())
      expect(date instanceof Date).toBe(true)
      expect(date.getUTCFullYear()).toBe(2030)
    })
  })
})

describe('a run fails', () => {
  it('by an invariant, a client, a task, a callback or a lost rejection, named', async () => {
    const failing = async (scenario: (world: World) => void): Promise<string | undefined> =>
      (await simulate({}, scenario)).failures[0]?.name
    const boom = (): never => {
      throw new Error('boom')
    }
    const forever = (): Promise<never> => new Promise(() => {})
    expect(await failing((world) => world.client('c', async () => boom()))).toBe('c/client')
    expect(await failing(() => boom())).toBe('scenario')
    expect(
      await failing((world) => {
        world.invariant('mine', () => 'no')
        world.client('c', async () => {})
      }),
    ).toBe('mine')
    expect(
      await failing((world) => {
        world.machine('m').process('p', async (own) => {
          own.tasks.spawn('work', async () => boom())
          await forever()
        })
      }),
    ).toBe('task work of m/p')
    expect(
      await failing((world) => {
        world.machine('m').process('p', async (own) => {
          own.timers.schedule(1, boom)
          await forever()
        })
      }),
    ).toBe('uncaught error of m/p')
    expect(
      await failing((world) => {
        world.machine('m').process('p', async () => {
          void Promise.reject(new Error('boom'))
          await forever()
        })
      }),
    ).toBe('uncaught error of m/p')
  })

  it('by making no progress, and says who waits', async () => {
    const stuck = await simulate({}, (world) => world.client('c', () => new Promise(() => {})))
    expect(stuck.failures[0]).toMatchObject({ name: 'no-progress' })
    expect(stuck.failures[0]?.message).toContain('c/client')
    const busy = await simulate({ eventsMax: 10_000 }, (world) => {
      world.client('c', async (runtime) => {
        for (;;) await sleep(runtime.timers, 0)
      })
    })
    expect(busy.failures[0]).toMatchObject({ name: 'no-progress' })
  })

  it('but a process that may throw starts again', async () => {
    let starts = 0
    const report = await simulate({}, (world) => {
      world.machine('m').process(
        'p',
        async () => {
          starts++
          if (starts < 3) throw new Error('not yet')
        },
        { mayThrow: true },
      )
      world.client('c', (runtime) => sleep(runtime.timers, 10_000))
    })
    expectClean(report)
    expect(starts).toBe(3)
  })
})

describe('a report', () => {
  it('does not count a run in which nothing happened', async () => {
    const report = await simulate({ seeds: 5, durationMs: 10 }, () => {})
    expect(report.seedsThatCount).toBe(0)
    expect(() => expectClean(report)).toThrow('only 0 of 5 seeds did something')
  })

  it('does not count a run that no fault struck, if faults were asked for', async () => {
    const report = await simulate({ seeds: 5, faults: ['kill'] }, (world) => {
      world.client('c', (runtime) => sleep(runtime.timers, 10))
    })
    expect(report.seedsThatCount).toBe(0)
  })

  it('tells in its error how to replay', async () => {
    const report = await simulate({ firstSeed: 7 }, (world) => world.fail('mine', 'because'))
    expect(() => expectClean(report)).toThrow(/seed 7 failed at 0 ms: mine: because/)
  })

  it('has what was reached, after healing too', async () => {
    const report = await simulate({ seeds: 3 }, (world) => {
      world.client('c', async () => {})
      world.afterHealing('final', async (runtime) => {
        await sleep(runtime.timers, 5)
        world.reached('the end')
      })
    })
    expectClean(report, 3)
    expect(report.reached).toEqual({ 'the end': 3 })
  })
})
