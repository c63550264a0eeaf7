/** The notebook of a world: what it says of the living and the dead, and what judges make of it. */
import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { expectClean, type HistoryJudge, simulate, type World } from '../../testing/index.ts'
import { linearizable, type RegisterInput, register } from '../../verification/index.ts'

/** A register in memory on a machine of its own, reached by datagrams; it may lie. */
async function memory(runtime: Runtime, lie: () => boolean): Promise<never> {
  let value: string | null = null
  let before: string | null = null
  const heard = new Set<string>()
  const socket = await runtime.network.bind('memory:1', ({ bytes, source }) => {
    const { id, input } = JSON.parse(new TextDecoder().decode(bytes))
    // A datagram may come twice, the second time long after it was answered.
    if (heard.has(id)) return
    heard.add(id)
    if (input.type === 'write') {
      before = value
      value = input.value
    }
    const output = input.type === 'write' ? null : lie() ? before : value
    socket.send(source, new TextEncoder().encode(JSON.stringify({ id, output })))
  })
  return new Promise(() => {})
}

/** Asks once; a second without an answer leaves the outcome unknown. */
async function asker(runtime: Runtime): Promise<(input: RegisterInput) => Promise<string | null>> {
  const name = runtime.identity.machine
  const waiting = new Map<string, (output: string | null) => void>()
  const socket = await runtime.network.bind(`${name}:1`, ({ bytes }) => {
    const { id, output } = JSON.parse(new TextDecoder().decode(bytes))
    waiting.get(id)?.(output)
  })
  let id = 0
  return async (input) => {
    // An answer to an earlier life must not be taken for one's own.
    const own = `${runtime.identity.incarnation} ${++id}`
    const answered = new Promise<string | null>((resolve) => waiting.set(own, resolve))
    socket.send('memory:1', new TextEncoder().encode(JSON.stringify({ id: own, input })))
    const late = sleep(runtime.timers, 1_000).then(() => {
      throw new OutcomeUnknownError('no answer within a second')
    })
    return Promise.race([answered, late])
  }
}

function registerWorld(lies: number): (world: World) => void {
  return (world) => {
    world
      .machine('memory')
      .process('server', (own) => memory(own, () => own.random.fraction('lie') < lies), {
        protected: true,
      })
    for (const name of ['a', 'b', 'c']) {
      world.node(name, async (runtime) => {
        const ask = await asker(runtime)
        for (let count = 0; count < 8; count++) {
          const input: RegisterInput =
            count % 2 === 0 ? { type: 'write', value: `${name}${count}` } : { type: 'read' }
          await runtime.history.record(input, () => ask(input)).catch(() => undefined)
          await sleep(runtime.timers, 50 + runtime.random.fraction('pause') * 100)
        }
      })
    }
    world.check(linearizable(register))
  }
}

const options = { faults: ['kill', 'pause', 'datagram-loss', 'slow-network'] } as const

describe('a history judged at the end', () => {
  it('of a register that tells the truth is right under every fault', async () => {
    const report = await simulate({ ...options, seeds: 60, durationMs: 3_000 }, registerWorld(0))
    expectClean(report, 30)
    expect(report.undecided).toEqual({})
  })

  it('of one that lies now and then fails, names the few operations, and shows them', async () => {
    const asked = { ...options, seeds: 60, durationMs: 3_000, shrink: true }
    const [failure] = (await simulate(asked, registerWorld(0.1))).failures
    expect(failure?.name).toBe('linearizable(register)')
    expect(failure?.kind).toBe('no order')
    expect(failure?.message).toMatch(/no order of \d+ operations is right/)
    const told = failure?.message.split('\n').slice(1) ?? []
    expect(told.length).toBeGreaterThanOrEqual(2)
    expect(told.length).toBeLessThanOrEqual(6)
    expect(told.every((line) => /^ {2}[abc]\/node/.test(line))).toBe(true)
    const timeline = await failure?.timeline?.()
    const blamed = timeline
      ?.text()
      .split('\n')
      .filter((line) => line.includes('VIOLATION {'))
    expect(blamed?.length ?? 0).toBeGreaterThanOrEqual(told.length)
    expect(timeline?.html()).toContain('"blamed":true')
    // The picture of a judged run replays as any other.
    const again = await simulate({ plan: failure?.fixture ?? [] }, registerWorld(0.1))
    expect(again.failures[0]?.message).toContain('no order of')
  })
})

describe('the notebook', () => {
  it('leaves the call of a killed process open, and gives its next life another name', async () => {
    await simulate({}, (world) => {
      const history = world.history<string, string>()
      const node = world.node('a', async (runtime) => {
        await history.record('first', async () => 'done')
        if (history.operations().length < 3) {
          await history.record('second', () => new Promise<string>(() => {}))
        }
        await sleep(runtime.timers, 1)
      })
      world.client('killer', async (runtime) => {
        await sleep(runtime.timers, 1_000)
        node.kill()
        await sleep(runtime.timers, 1_000)
        node.restart()
      })
      world.afterHealing('told', async () => {
        const told = history.operations().map(({ process, input, output, returnedAt }) => {
          return [process, input, output, Number.isFinite(returnedAt)]
        })
        if (
          JSON.stringify(told) !==
          JSON.stringify([
            ['a/node', 'first', 'done', true],
            ['a/node', 'second', undefined, false],
            ['a/node#2', 'first', 'done', true],
          ])
        ) {
          world.fail('told', JSON.stringify(told))
        }
      })
    }).then((report) => expectClean(report))
  })

  it('tells what did not happen from what nobody knows', async () => {
    let seen: readonly unknown[] = []
    const report = await simulate({}, (world) => {
      const history = world.history()
      world.client('a', async () => {
        const fails = (error: Error): Promise<void> =>
          history.record('x', () => Promise.reject(error)).catch(() => undefined)
        await fails(new UnavailableError('no connection'))
        await fails(new OutcomeUnknownError('no answer'))
        await fails(new Error('who knows'))
        seen = history
          .operations()
          .map(({ failed, returnedAt }) => [failed, Number.isFinite(returnedAt)])
      })
    })
    expectClean(report)
    expect(seen).toEqual([
      [true, true],
      [false, false],
      [false, false],
    ])
  })

  it('a node that gives up for a misfortune begins again; one with a bug fails the run', async () => {
    const world = (error: Error) => (given: World) => {
      let lives = 0
      given.node('a', async () => {
        if (++lives < 3) throw error
      })
    }
    expectClean(await simulate({}, world(new UnavailableError('not now'))))
    const broken = await simulate({}, world(new TypeError('undefined is not a function')))
    expect(broken.failures[0]).toMatchObject({ name: 'a/node', kind: 'TypeError' })
  })
})

describe('a judge that cannot decide', () => {
  const undecided: HistoryJudge = {
    name: 'oracle',
    judge: () => ({ verdict: 'unknown', words: 'steps ran out' }),
  }

  it('is no pass: the seed does not count, and the report says so', async () => {
    const report = await simulate({ seeds: 3 }, (world) => {
      world.client('a', async () => {})
      world.check(undecided)
    })
    expect(report.failures).toEqual([])
    expect(report.seedsThatCount).toBe(0)
    expect(report.undecided).toEqual({ 'oracle: steps ran out': 3 })
    expect(() => expectClean(report)).toThrow('oracle: steps ran out')
  })

  it('an empty history is undecided', async () => {
    const report = await simulate({}, (world) => {
      world.client('a', async () => {})
      world.check(linearizable(register))
    })
    expect(report.undecided).toEqual({ 'linearizable(register): nothing was answered': 1 })
  })

  it('is told even if other seeds count, unless it is allowed', async () => {
    const report = await simulate({ seeds: 4 }, (world) => {
      world.client('a', async () => {})
      if (world.seed === 2) world.check(undecided)
    })
    expect(() => expectClean(report)).toThrow('1 seed')
    expectClean(report, 3, { undecidedMax: 1 })
  })
})

it('shrinking keeps to the kind of verdict, not only to the name', async () => {
  // With any fault the judge finds "loud"; with none it finds "quiet": a smaller case, but another one.
  const scenario = (world: World): void => {
    const process = world.machine('m').process('p', () => new Promise(() => {}))
    let died = false
    world.invariant('watch', () => {
      died ||= !process.alive
      return true
    })
    world.client('c', (runtime) => sleep(runtime.timers, 5_000))
    world.check({
      name: 'ear',
      judge: () => ({ verdict: 'violation', kind: died ? 'loud' : 'quiet' }),
    })
  }
  const report = await simulate(
    {
      plan: [
        { id: 'f0', kind: 'slow-disk', atMs: 500, durationMs: 100, target: 'm' },
        { id: 'f1', kind: 'kill', atMs: 1_000, durationMs: 100, target: 'm/p' },
      ],
      durationMs: 5_000,
      shrink: true,
    },
    scenario,
  )
  expect(report.failures[0]?.kind).toBe('loud')
  expect(report.failures[0]?.shrunkFaults?.map(({ kind }) => kind)).toEqual(['kill'])
})
