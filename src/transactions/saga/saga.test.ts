import { describe, expect, it } from 'vitest'
import { KeyReusedError, OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import { trialRecords } from '../../kernels/bad-line.sim.ts'
import type { Observer } from '../../observability/observer.ts'
import { silentObserver } from '../../observability/observer.ts'
import { type Runtime, sleep } from '../../runtime/index.ts'
import type { World } from '../../simulation/world.ts'
import { inVirtualTime } from '../../testing/index.ts'
import type { SagaEngineOptions } from './contract.ts'
import { saga } from './definition.ts'
import { sagaEngine } from './engine.ts'
import { refuse } from './refusal.ts'

/** A shop whose every call is written down, and whose steps do as they are told. */
interface Shop {
  readonly calls: string[]
  /** What a step does, by name (`charge`, `undo reserve`), per attempt; the last one goes on. */
  readonly acts: Record<string, ((attempt: number, signal: AbortSignal) => unknown)[]>
}

function shop(acts: Shop['acts'] = {}): Shop {
  return { calls: [], acts }
}

const retry = { attemptsMax: 3, parkAfter: 4, baseMs: 10, capMs: 100 }

function placeOrder(shop: Shop, version = 1) {
  const act =
    (name: string) =>
    async (_input: unknown, { attempt, signal }: { attempt: number; signal: AbortSignal }) => {
      shop.calls.push(name)
      const script = shop.acts[name] ?? []
      return script[Math.min(attempt, script.length) - 1]?.(attempt, signal)
    }
  return saga<{ item: string }>('place-order', { version })
    .step('reserve', { run: act('reserve'), compensate: act('undo reserve'), retry })
    .step('charge', { run: act('charge'), compensate: act('undo charge'), retry })
    .step('ship', { run: act('ship'), retry, timeoutMs: 1_000 })
    .step('thank', { run: act('thank'), retry })
}

async function withEngine<T>(
  body: (bench: {
    world: World
    runtime: Runtime
    engine: ReturnType<typeof sagaEngine>
    events: string[]
    snapshot: () => unknown
  }) => Promise<T>,
  options: SagaEngineOptions = {},
): Promise<T> {
  return inVirtualTime(async (world, runtime) => {
    const records = await trialRecords(runtime)
    const events: string[] = []
    let snapshot = (): unknown => undefined
    const observer: Observer = {
      ...silentObserver,
      event: (name) => events.push(name),
      snapshot(_section, read) {
        snapshot = read
        return () => {}
      },
    }
    const engine = sagaEngine(runtime, records, { observer, holdMs: 1_000, ...options })
    engine.start()
    const value = await body({ world, runtime, engine, events, snapshot: () => snapshot() })
    await engine.close()
    return value
  })
}

const order = { item: 'kelp' }
const unknown = () => {
  throw new OutcomeUnknownError('no answer')
}
const unavailable = () => {
  throw new UnavailableError('refused the connection')
}

describe('the definition is checked when it is written', () => {
  const run = (): void => {}
  const base = saga('s', { version: 1 }).step('a', { run, compensate: run })

  it('SG-3: the first step without a way back is the pivot, and the rest are retriable', () => {
    const kinds = base
      .step('b', { run })
      .step('c', { run })
      .steps.map(({ kind }) => kind)
    expect(kinds).toEqual(['compensatable', 'pivot', 'retriable'])
  })

  it('SG-3: after the pivot nothing can be undone', () => {
    const decided = base.step('b', { run })
    expect(() => decided.step('c', { run, compensate: run })).toThrow(/never undone/)
    expect(() => decided.step('c', { run, kind: 'compensatable' })).toThrow(/must be retriable/)
    expect(() => decided.step('c', { run, kind: 'pivot' })).toThrow(/must be retriable/)
    expect(() => base.step('b', { run, compensate: run, kind: 'pivot' })).toThrow(/never undone/)
  })

  it('a step that needs no undoing says so, and is not the pivot', () => {
    const check = base.step('b', { run, kind: 'compensatable' }).step('c', { run })
    expect(check.steps.map(({ kind }) => kind)).toEqual(['compensatable', 'compensatable', 'pivot'])
  })

  it('G-9: names, versions and numbers are checked', () => {
    expect(() => saga('a/b', { version: 1 })).toThrow(/letters/)
    expect(() => saga(' ', { version: 1 })).toThrow(/white space/)
    expect(() => saga('a', { version: 0 })).toThrow(/version/)
    expect(() => base.step('a', { run })).toThrow(/twice/)
    expect(() => base.step('b', { run, timeoutMs: 0 })).toThrow(/timeoutMs/)
    expect(() => base.step('b', { run, retry: { attemptsMax: 0 } })).toThrow(/attemptsMax/)
  })
})

describe('a saga that goes well', () => {
  it('runs its steps in order and returns their results', () =>
    withEngine(async ({ engine }) => {
      const mine = shop({ reserve: [() => ({ place: 7 })], ship: [() => 'parcel'] })
      const outcome = await engine.register(placeOrder(mine)).run(order, { id: '1' })
      expect(mine.calls).toEqual(['reserve', 'charge', 'ship', 'thank'])
      const results = { reserve: { place: 7 }, charge: null, ship: 'parcel', thank: null }
      expect(outcome).toEqual({ status: 'completed', results })
    }))

  it('G-5: the same id joins, before and after the end; other input is refused', () =>
    withEngine(async ({ engine }) => {
      const mine = shop()
      const handle = engine.register(placeOrder(mine))
      const both = await Promise.all([
        handle.run(order, { id: '1' }),
        handle.run(order, { id: '1' }),
      ])
      expect(both.map(({ status }) => status)).toEqual(['completed', 'completed'])
      expect((await handle.run(order, { id: '1' })).status).toBe('completed')
      expect(mine.calls).toHaveLength(4)
      await expect(handle.run({ item: 'sand' }, { id: '1' })).rejects.toThrow(KeyReusedError)
      expect((await handle.result('1'))?.status).toBe('completed')
      expect(await handle.result('2')).toBeUndefined()
    }))

  it('SG-1: steps see stable keys, attempts and earlier results', () =>
    withEngine(async ({ engine }) => {
      const seen: unknown[] = []
      const handle = engine.register(
        saga('keys', { version: 1 })
          .step('a', {
            run: (_, { key, attempt, epoch }) => {
              seen.push([key, attempt, epoch])
              return attempt === 1 ? unavailable() : 'A'
            },
            compensate: (_, { key, originalKey, result }) => seen.push([key, originalKey, result]),
            retry,
          })
          .step('b', {
            run: (_, { results }) => {
              seen.push(results)
              return refuse('no')
            },
          }),
      )
      await handle.run({}, { id: 'x' })
      expect(seen).toEqual([
        ['keys/x/a', 1, 1n],
        ['keys/x/a', 2, 1n],
        { a: 'A' },
        ['keys/x/a/undo', 'keys/x/a', 'A'],
      ])
    }))

  it('shows its history', () =>
    withEngine(async ({ engine }) => {
      const handle = engine.register(placeOrder(shop({ charge: [unavailable, () => 'ok'] })))
      await handle.run(order, { id: '1' })
      const view = await engine.inspect('place-order', '1')
      expect(view).toMatchObject({ name: 'place-order', id: '1', version: 1, status: 'completed' })
      expect(view?.steps[1]).toMatchObject({ name: 'charge', status: 'done', attempts: 2 })
      expect(view?.steps[1]?.endedAtMs).toBeGreaterThan(view?.steps[1]?.startedAtMs ?? 0)
      expect((await engine.list({ limit: 10 })).map(({ id }) => id)).toEqual(['1'])
    }))
})

describe('a saga that turns back', () => {
  it('SG-2: after a refusal the steps before it are undone in reverse', () =>
    withEngine(async ({ engine }) => {
      const mine = shop({ ship: [() => refuse('no road')] })
      const outcome = await engine.register(placeOrder(mine)).run(order, { id: '1' })
      expect(mine.calls).toEqual(['reserve', 'charge', 'ship', 'undo charge', 'undo reserve'])
      const cause = { kind: 'refused', step: 'ship', reason: 'no road' }
      expect(outcome).toEqual({ status: 'compensated', cause })
    }))

  it('SG-2, G-1: a step whose outcome stays unknown is undone too', () =>
    withEngine(async ({ engine }) => {
      const mine = shop({ charge: [unknown] })
      const outcome = await engine.register(placeOrder(mine)).run(order, { id: '1' })
      expect(mine.calls.slice(-2)).toEqual(['undo charge', 'undo reserve'])
      expect(mine.calls.filter((call) => call === 'charge')).toHaveLength(3)
      expect(outcome).toMatchObject({ cause: { kind: 'failed', step: 'charge' } })
    }))

  it('G-1: a step that surely did nothing is not undone', () =>
    withEngine(async ({ engine }) => {
      const mine = shop({ charge: [unavailable] })
      await engine.register(placeOrder(mine)).run(order, { id: '1' })
      expect(mine.calls).toEqual(['reserve', 'charge', 'charge', 'charge', 'undo reserve'])
    }))

  it('G-1: once in doubt, always in doubt: a later clear failure does not clear the first', () =>
    withEngine(async ({ engine }) => {
      const mine = shop({ charge: [unknown, unavailable] })
      await engine.register(placeOrder(mine)).run(order, { id: '1' })
      expect(mine.calls.slice(-2)).toEqual(['undo charge', 'undo reserve'])
    }))

  it('a plain error of the author counts as unknown', () =>
    withEngine(async ({ engine }) => {
      const mine = shop({
        reserve: [
          () => {
            throw new TypeError('oops')
          },
        ],
      })
      const outcome = await engine.register(placeOrder(mine)).run(order, { id: '1' })
      expect(mine.calls.at(-1)).toBe('undo reserve')
      expect(outcome).toMatchObject({ cause: { error: { message: 'oops', outcome: 'unknown' } } })
    }))

  it('SG-6: a step that takes too long is undone', () =>
    withEngine(async ({ engine, runtime }) => {
      let cut: unknown
      const handle = engine.register(
        saga('slow', { version: 1 }).step('a', {
          run: (_, { signal }) => {
            signal.addEventListener('abort', () => {
              cut = signal.reason
            })
            return sleep(runtime.timers, 10_000)
          },
          compensate: () => {},
          timeoutMs: 100,
          retry: { attemptsMax: 1 },
        }),
      )
      const outcome = await handle.run({}, { id: '1' })
      expect(outcome).toMatchObject({ cause: { error: { code: 'deadline-exceeded' } } })
      expect(cut).toMatchObject({ code: 'deadline-exceeded' })
    }))

  it('SG-6: the timeout of the saga turns it back before the pivot', () =>
    withEngine(async ({ engine }) => {
      const calls: string[] = []
      const handle = engine.register(
        saga('late', { version: 1, timeoutMs: 500 })
          .step('a', { run: () => void calls.push('a'), compensate: () => calls.push('undo a') })
          .step('b', {
            run: unavailable,
            compensate: () => calls.push('undo b'),
            retry: { attemptsMax: 1_000, baseMs: 100, capMs: 200 },
          }),
      )
      const outcome = await handle.run({}, { id: '1' })
      expect(outcome).toMatchObject({ status: 'compensated', cause: { kind: 'timeout' } })
      expect(calls).toEqual(['a', 'undo a'])
    }))
})

describe('after the pivot', () => {
  it('SG-3: a pivot in doubt is never given up for lost', () =>
    withEngine(async ({ engine }) => {
      const mine = shop({ ship: [unknown, unavailable, unavailable, () => 'parcel'] })
      const outcome = await engine.register(placeOrder(mine)).run(order, { id: '1' })
      expect(outcome.status).toBe('completed')
      expect(mine.calls).not.toContain('undo charge')
    }))

  it('SG-3: a pivot that surely did not happen still allows to turn back', () =>
    withEngine(async ({ engine }) => {
      const mine = shop({ ship: [unavailable] })
      const outcome = await engine.register(placeOrder(mine)).run(order, { id: '1' })
      expect(outcome.status).toBe('compensated')
    }))

  it('SG-4: a retriable step that keeps failing is parked, loudly, and retried on demand', () =>
    withEngine(async ({ engine, events, snapshot }) => {
      const fails = [unknown, unknown, unknown, unknown]
      const mine = shop({ thank: [...fails, () => 'card'] })
      const handle = engine.register(placeOrder(mine))
      const end = handle.run(order, { id: '1' })
      await until(async () => (await engine.inspect('place-order', '1'))?.status === 'parked')
      expect(events).toContain('sagaParked')
      expect(snapshot()).toMatchObject({ recent: [{ id: '1', status: 'parked' }] })
      expect(await engine.cancel('place-order', '1', 'too late')).toBe('asked')
      expect(await engine.skip('place-order', '1', 'ship')).toBe('not-parked')
      expect(await engine.retry('place-order', '1')).toBe('asked')
      expect((await end).status).toBe('completed')
      expect(await engine.retry('place-order', '1')).toBe('ended')
    }))
})

describe('a compensation that fails', () => {
  const stuck = () => shop({ ship: [() => refuse('no')], 'undo charge': [unknown] })

  it('SG-4: is retried, then parked; an operator skips it and the rest is undone', () =>
    withEngine(async ({ engine, events }) => {
      const mine = stuck()
      const end = engine.register(placeOrder(mine)).run(order, { id: '1' })
      await until(async () => (await engine.inspect('place-order', '1'))?.status === 'parked')
      expect(mine.calls.filter((call) => call === 'undo charge')).toHaveLength(retry.parkAfter)
      expect(events.filter((name) => name === 'sagaParked')).toHaveLength(1)
      expect(await engine.skip('place-order', '1', 'charge')).toBe('asked')
      expect((await end).status).toBe('compensated')
      expect(mine.calls.at(-1)).toBe('undo reserve')
    }))

  it('SG-4: or ends it by force', () =>
    withEngine(async ({ engine }) => {
      const mine = stuck()
      const handle = engine.register(placeOrder(mine))
      await handle.begin(order, { id: '1' })
      const end = handle.wait('1')
      expect(await engine.force('place-order', '1', 'why not')).toBe('not-parked')
      await until(async () => (await engine.inspect('place-order', '1'))?.status === 'parked')
      expect(await engine.force('place-order', '1', 'settled by hand')).toBe('done')
      expect(await end).toEqual({ status: 'forced', reason: 'settled by hand' })
      expect(mine.calls).not.toContain('undo reserve')
    }))
})

describe('cancellation', () => {
  it('SG-6: cuts a step short and undoes it', () =>
    withEngine(async ({ engine, runtime }) => {
      const mine = shop({ charge: [() => sleep(runtime.timers, 20_000)] })
      const handle = engine.register(placeOrder(mine))
      const end = handle.run(order, { id: '1' })
      await sleep(runtime.timers, 100)
      const askedMs = runtime.clock.monotonicMs()
      expect(await handle.cancel('1', 'changed my mind')).toBe('asked')
      const cause = { kind: 'cancelled', reason: 'changed my mind' }
      expect(await end).toEqual({ status: 'compensated', cause })
      expect(mine.calls).toEqual(['reserve', 'charge', 'undo charge', 'undo reserve'])
      expect(runtime.clock.monotonicMs() - askedMs).toBeLessThan(100)
    }))

  it('SG-6: comes too late once the pivot has begun', () =>
    withEngine(async ({ engine, runtime }) => {
      const mine = shop({ ship: [() => sleep(runtime.timers, 500)] })
      const handle = engine.register(placeOrder(mine))
      const end = handle.run(order, { id: '1' })
      await sleep(runtime.timers, 200)
      await handle.cancel('1', 'changed my mind')
      expect((await end).status).toBe('completed')
      expect(mine.calls).toEqual(['reserve', 'charge', 'ship', 'thank'])
    }))

  it('G-5: of an id never seen is remembered, and its start does nothing', () =>
    withEngine(async ({ engine }) => {
      const mine = shop()
      const handle = engine.register(placeOrder(mine))
      expect(await handle.cancel('1', 'early')).toBe('done')
      expect(await handle.run(order, { id: '1' })).toEqual({ status: 'cancelled', reason: 'early' })
      expect(mine.calls).toEqual([])
    }))
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 10_000; round += 1) {
    if (await condition()) return
  }
  throw new Error('it never came true')
}
