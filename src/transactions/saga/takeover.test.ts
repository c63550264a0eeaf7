/**
 * What happens when an executor goes away: dies at any point, is drained, closes, or is replaced by a
 * newer version of the program.
 */
import { describe, expect, it } from 'vitest'
import { ClosedError } from '../../errors.ts'
import { trialRecords } from '../../kernels/bad-line.sim.ts'
import type { Observer } from '../../observability/observer.ts'
import { silentObserver } from '../../observability/observer.ts'
import { mortalRuntime } from '../../ports/mortal-runtime.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import { type Runtime, sleep } from '../../runtime/index.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { saga } from './definition.ts'
import { sagaEngine } from './engine.ts'
import { refuse } from './refusal.ts'

const retry = { attemptsMax: 3, baseMs: 10, capMs: 50 }
const holdMs = 1_000

/** Effects by key, as an idempotent participant would keep them; undone keys are closed for ever. */
interface Ledger {
  readonly effects: Map<string, 'applied' | 'undone'>
  readonly undone: string[]
}

function journey(ledger: Ledger, ending: 'ships' | 'refused', before: () => Promise<void>) {
  const run = async (_: unknown, { key }: { key: string }) => {
    await before()
    if (ledger.effects.get(key) === 'undone') return refuse('undone before it came')
    ledger.effects.set(key, 'applied')
    await before()
    return key
  }
  const compensate = async (_: unknown, { originalKey }: { originalKey: string }) => {
    await before()
    if (ledger.effects.get(originalKey) !== 'undone') ledger.undone.push(originalKey)
    ledger.effects.set(originalKey, 'undone')
    await before()
  }
  const last = async (input: unknown, context: { key: string }) =>
    ending === 'refused' ? refuse('no road') : run(input, context)
  return saga('journey', { version: 1 })
    .step('a', { run, compensate, retry })
    .step('b', { run, compensate, retry })
    .step('ship', { run: last, retry })
}

/** Calls `tick` around each access, so that a death can be placed at any of them. */
function counted(records: RecordStore, tick: () => Promise<void>): RecordStore {
  const around =
    <Rest extends readonly unknown[], Value>(work: (...rest: Rest) => Promise<Value>) =>
    async (...rest: Rest): Promise<Value> => {
      await tick()
      const value = await work(...rest)
      await tick()
      return value
    }
  return { ...records, put: around(records.put), get: around(records.get) }
}

async function dieAt(fatal: number, ending: 'ships' | 'refused'): Promise<boolean> {
  return inVirtualTime(async (_world, runtime) => {
    const ledger: Ledger = { effects: new Map(), undone: [] }
    const mortal = mortalRuntime(runtime)
    let ticks = 0
    let died = false
    const tick = async (): Promise<void> => {
      if (died) return new Promise(() => {})
      ticks += 1
      if (ticks !== fatal) return
      died = true
      mortal.die()
      return new Promise(() => {})
    }
    const doomed = sagaEngine(mortal.runtime, counted(await trialRecords(mortal.runtime), tick), {
      holdMs,
    })
    doomed.start()
    const first = doomed.register(journey(ledger, ending, tick))
    runtime.tasks.spawn('doomed', async () => {
      await first.run({}, { id: '1' })
    })
    await sleep(runtime.timers, 500)
    const heir = sagaEngine(runtime, await trialRecords(runtime), { holdMs })
    heir.start()
    const second = heir.register(journey(ledger, ending, async () => {}))
    // Whoever asked asks again, under the same id: he never got an answer.
    const outcome = await second.run({}, { id: '1' })
    const states = ['a', 'b', 'ship'].map((step) => ledger.effects.get(`journey/1/${step}`))
    if (ending === 'ships') {
      expect([fatal, outcome.status, ...states]).toEqual([
        fatal,
        'completed',
        'applied',
        'applied',
        'applied',
      ])
    } else {
      expect([fatal, outcome.status, states]).toEqual([
        fatal,
        'compensated',
        ['undone', 'undone', undefined],
      ])
      expect(ledger.undone).toEqual(['journey/1/b', 'journey/1/a'])
    }
    await heir.close()
    return died
  })
}

describe('an executor that dies', () => {
  for (const ending of ['ships', 'refused'] as const) {
    it(`SG-1, SG-2: at any await of a saga that is ${ending}: another ends it`, async () => {
      let fatal = 1
      while (await dieAt(fatal, ending)) fatal += 1
      expect(fatal).toBeGreaterThan(12) // every await was tried
    })
  }

  it('a step that kills its executor each time is given up after ten crashes', () =>
    inVirtualTime(async (_world, runtime) => {
      let attempts = 0
      const poison = () =>
        saga('poison', { version: 1 }).step('a', {
          run: (_, { attempt }) => {
            attempts = attempt
            current.die()
            return new Promise(() => {})
          },
          compensate: () => {},
        })
      let current = mortalRuntime(runtime)
      const records = await trialRecords(runtime)
      const options = { holdMs, pollMs: 100 }
      const last = sagaEngine(runtime, records, options)
      const handle = last.register(poison())
      await handle.begin({}, { id: '1' })
      while ((await handle.result('1')) === undefined) {
        current = mortalRuntime(runtime)
        const engine = sagaEngine(current.runtime, await trialRecords(current.runtime), options)
        engine.register(poison())
        engine.start()
        await sleep(runtime.timers, 2_000)
        current.die()
      }
      expect(attempts).toBe(11)
      expect(await handle.result('1')).toMatchObject({ cause: { kind: 'failed', step: 'a' } })
    }))
})

describe('an executor that is paused', () => {
  it('SG-6, G-4: finds on return that another has taken over, and is refused', () =>
    inVirtualTime(async (world, runtime) => {
      const events: string[] = []
      const observer: Observer = { ...silentObserver, event: (name) => events.push(name) }
      const epochs: bigint[] = []
      const slow = (own: Runtime, delayMs: number) =>
        saga('slow', { version: 1 })
          .step('a', {
            run: async (_, { epoch }) => {
              epochs.push(epoch)
              await sleep(own.timers, delayMs)
            },
            compensate: () => {},
          })
          .step('b', { run: () => sleep(own.timers, 20_000), timeoutMs: 60_000 })
      const sleeper = world.machine('machine').process('sleeper', async (own) => {
        const engine = sagaEngine(own, await trialRecords(own), { holdMs, observer })
        engine.start()
        await engine.register(slow(own, 300)).begin({}, { id: '1' })
        await new Promise(() => {})
      })
      await sleep(runtime.timers, 100)
      sleeper.pause(5_000)
      const engine = sagaEngine(runtime, await trialRecords(runtime), { holdMs, pollMs: 100 })
      engine.start()
      const outcome = await engine.register(slow(runtime, 10)).wait('1')
      expect(outcome.status).toBe('completed')
      await sleep(runtime.timers, 10_000)
      expect(epochs).toEqual([1n, 2n])
      expect(events).toContain('sagaInterrupted')
      await engine.close()
    }))
})

describe('a rolling deploy', () => {
  it('SG-7: instances end on the version they began with; what nobody knows is counted', () =>
    inVirtualTime(async (_world, runtime) => {
      const calls: string[] = []
      const version = (number: number, names: readonly string[], delayMs: number) => {
        const step = (name: string) => ({
          run: async () => {
            calls.push(`v${number} ${name}`)
            await sleep(runtime.timers, delayMs)
          },
          compensate: () => {},
        })
        const [first = '', ...rest] = names
        const start = saga('order', { version: number }).step(first, step(first))
        return rest.reduce((sofar, name) => sofar.step(name, step(name)), start as typeof start)
      }
      const v1 = version(1, ['reserve', 'charge'], 2_000)
      const v2 = version(2, ['check', 'reserve', 'charge'], 10)
      const records = await trialRecords(runtime)
      const options = { holdMs, pollMs: 100 }

      const old = sagaEngine(runtime, records, options)
      old.start()
      await old.register(v1).begin({}, { id: 'in flight' })
      await sleep(runtime.timers, 100)
      await old.close() // the first step is cut short, its outcome in doubt

      const events: string[] = []
      let read: () => unknown = () => undefined
      const observer: Observer = {
        ...silentObserver,
        event: (name) => events.push(name),
        snapshot(_section, view) {
          read = view
          return () => {}
        },
      }
      const fresh = sagaEngine(runtime, records, { ...options, observer })
      fresh.start()
      const handle = fresh.register(v2)
      expect((await handle.run({}, { id: 'new' })).status).toBe('completed')
      await sleep(runtime.timers, 20_000)
      expect(await handle.result('in flight')).toBeUndefined()
      expect(events.filter((name) => name === 'sagaUnclaimable')).toHaveLength(1)
      expect(await read()).toMatchObject({ unclaimable: { 'order@1': 1 } })

      fresh.register(v1) // the new program brings the old definition along
      expect((await handle.wait('in flight')).status).toBe('completed')
      expect(calls.filter((call) => call.startsWith('v1'))).toEqual([
        'v1 reserve',
        'v1 reserve',
        'v1 charge',
      ])
      expect(calls.filter((call) => call.startsWith('v2'))).toHaveLength(3)
      await fresh.close()
    }))
})

describe('drain and close', () => {
  it('drain: the running step ends, the rest is handed over at once', () =>
    inVirtualTime(async (_world, runtime) => {
      const calls: string[] = []
      const two = (name: string) => {
        const run = async (_: unknown, { step }: { step: string }) => {
          calls.push(`${name} ${step}`)
          await sleep(runtime.timers, 300)
        }
        return saga('two', { version: 1 }).step('a', { run }).step('b', { run })
      }
      const records = await trialRecords(runtime)
      const first = sagaEngine(runtime, records, { holdMs: 60_000 })
      first.start()
      await first.register(two('first')).begin({}, { id: '1' })
      await sleep(runtime.timers, 100)
      const second = sagaEngine(runtime, records, { holdMs: 60_000 })
      second.start()
      const handle = second.register(two('second'))
      await first.drain()
      const startMs = runtime.clock.monotonicMs()
      await handle.wait('1')
      expect(runtime.clock.monotonicMs() - startMs).toBeLessThan(3_000)
      expect(calls).toEqual(['first a', 'second b'])
      await Promise.all([first.close(), second.close()])
    }))

  it('G-8: close ends the waits, and takes nothing more', () =>
    inVirtualTime(async (_world, runtime) => {
      const engine = sagaEngine(runtime, await trialRecords(runtime), { holdMs })
      engine.start()
      const forever = saga('forever', { version: 1 }).step('a', {
        run: () => new Promise(() => {}),
      })
      const handle = engine.register(forever)
      const end = handle.run({}, { id: '1' }).catch((error: unknown) => error)
      await sleep(runtime.timers, 100)
      await engine.close()
      await engine.close()
      expect(await end).toBeInstanceOf(ClosedError)
      await expect(handle.begin({}, { id: '2' })).rejects.toThrow(ClosedError)
    }))

  it('G-11: no more than `concurrency` at a time, and the rest in turn', () =>
    inVirtualTime(async (_world, runtime) => {
      let now = 0
      let most = 0
      const engine = sagaEngine(runtime, await trialRecords(runtime), { concurrency: 3 })
      engine.start()
      const handle = engine.register(
        saga('busy', { version: 1 }).step('a', {
          run: async () => {
            now += 1
            most = Math.max(most, now)
            await sleep(runtime.timers, 50)
            now -= 1
          },
        }),
      )
      const ids = Array.from({ length: 20 }, (_, index) => `${index}`)
      await Promise.all(ids.map((id) => handle.run({}, { id })))
      expect(most).toBe(3)
      await engine.close()
    }))
})
