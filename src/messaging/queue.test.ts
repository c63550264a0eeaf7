import { expect, it } from 'vitest'
import { z } from 'zod'
import { embedded } from '../drivers/embedded/index.ts'
import type { Observer } from '../observability/index.ts'
import { silentObserver } from '../observability/index.ts'
import type { WorkStore } from '../ports/work-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { inVirtualTime } from '../testing/index.ts'
import { RejectMessageError } from './delivery.ts'
import { type Queue, type QueueOptions, queue } from './queue.ts'

interface Bench {
  readonly runtime: Runtime
  readonly work: WorkStore
  readonly events: string[]
  open<Payload>(options?: QueueOptions<Payload>): Queue<Payload>
  passMs(ms: number): Promise<void>
}

/** One process, virtual time, the real embedded store. */
function trying(body: (bench: Bench) => Promise<void>): () => Promise<void> {
  return () =>
    inVirtualTime(async (_, runtime) => {
      const stores = await embedded(runtime, { path: '/queue.db', namespace: 'test' })
      const { work } = stores
      const events: string[] = []
      const observer: Observer = { ...silentObserver, event: (name) => events.push(name) }
      await body({
        runtime,
        work,
        events,
        open: (options) => queue({ runtime, work, observer }, 'orders', options),
        passMs: (ms) => sleep(runtime.timers, ms),
      })
      await stores.close()
    })
}

const brief = { leaseMs: 1_000, retryDelayMs: () => 100 }

it(
  'returning acknowledges, throwing retries, the attempt is counted',
  trying(async ({ open, passMs }) => {
    const orders = open<{ number: number }>()
    const attempts: number[] = []
    const consumer = await orders.consume(
      (_, { attempt }) => {
        attempts.push(attempt)
        if (attempt < 3) throw new Error('not yet')
      },
      { ...brief, concurrency: 1 },
    )
    await orders.send({ number: 1 })
    await passMs(2_000)
    expect(attempts).toEqual([1, 2, 3])
    expect(await orders.stats()).toMatchObject({ ready: 0, inFlight: 0, dead: 0 })
    await consumer.stop()
  }),
)

it(
  'DL-1, DL-2: after attemptsMax a message is a dead letter with its reason, and comes back by redrive',
  trying(async ({ open, passMs, events }) => {
    const orders = open<{ number: number }>()
    let broken = true
    const handled: number[] = []
    const consumer = await orders.consume(
      ({ number }) => {
        if (broken) throw new Error('the ledger is closed')
        handled.push(number)
      },
      { ...brief, concurrency: 1, attemptsMax: 3 },
    )
    await orders.send({ number: 7 }, { id: 'seven', headers: { from: 'test' } })
    await passMs(2_000)
    const [letter] = await orders.deadLetters()
    expect(letter).toMatchObject({
      attempts: 3,
      message: { id: 'seven', headers: { from: 'test' } },
    })
    expect(letter?.reason).toContain('the ledger is closed')
    expect(events).toContain('messageDied')
    broken = false
    expect(await orders.redrive(['seven'])).toBe(1)
    await passMs(2_000)
    expect(handled).toEqual([7])
    await consumer.stop()
  }),
)

it(
  'DL-2: what does not match the schema, and what a handler rejects, is dead at once',
  trying(async ({ open, work, passMs }) => {
    const strict = open({ schema: z.object({ number: z.number() }) })
    const seen: number[] = []
    const consumer = await strict.consume(
      ({ number }) => {
        seen.push(number)
        throw new RejectMessageError('never')
      },
      { ...brief, concurrency: 1 },
    )
    await expect(strict.send({ number: 'x' } as never)).rejects.toThrow('does not match its schema')
    const kind = 'orders@1'
    await work.publish('orders', [
      { id: 'malformed', body: '{"number":', kind },
      { id: 'mismatch', body: '{"number":"x"}', kind },
      { id: 'rejected', body: '{"number":3}', kind },
    ])
    await passMs(2_000)
    const letters = await strict.deadLetters()
    expect(letters.map(({ message, attempts }) => [message.id, attempts])).toEqual([
      ['malformed', 1],
      ['mismatch', 1],
      ['rejected', 1],
    ])
    expect(seen).toEqual([3])
    await consumer.stop()
  }),
)

it(
  'QU-2: a heartbeat keeps a slow handler’s message, and nobody else gets it',
  trying(async ({ open, passMs, events }) => {
    const orders = open<{ number: number }>()
    const runs: number[] = []
    const handle = async ({ number }: { number: number }): Promise<void> => {
      runs.push(number)
      await passMs(5_000)
    }
    const consumers = [
      await orders.consume(handle, { ...brief, concurrency: 1 }),
      await orders.consume(handle, { ...brief, concurrency: 1 }),
    ]
    await orders.send({ number: 1 })
    await passMs(8_000)
    expect(runs).toEqual([1])
    expect(events).not.toContain('deliveryLost')
    await Promise.all(consumers.map((consumer) => consumer.stop()))
  }),
)

it(
  'QU-2: when the lease cannot be kept the handler is told, and its acknowledgement does not count',
  trying(async ({ runtime, work, events, passMs }) => {
    const cutOff: WorkStore = {
      ...work,
      extend: (_, receipts) => Promise.resolve(receipts.map(() => false)),
    }
    const observer = { ...silentObserver, event: (name: string) => void events.push(name) }
    const orders = queue<{ number: number }>({ runtime, work: cutOff, observer }, 'orders')
    const aborted: boolean[] = []
    const consumer = await orders.consume(
      async (_, { signal, attempt }) => {
        if (attempt === 1) await passMs(3_000)
        aborted.push(signal.aborted)
      },
      { ...brief, concurrency: 1 },
    )
    await orders.send({ number: 1 })
    await passMs(6_000)
    expect(aborted).toEqual([true, false])
    expect(events).toContain('deliveryLost')
    await consumer.stop()
  }),
)

it(
  'a handler that hangs loses its message after holdMaxMs instead of keeping it for ever',
  trying(async ({ open, passMs }) => {
    const orders = open<{ number: number }>()
    const attempts: number[] = []
    const consumer = await orders.consume(
      async (_, { attempt }) => {
        attempts.push(attempt)
        if (attempt === 1) await new Promise<never>(() => {})
      },
      { ...brief, concurrency: 2, holdMaxMs: 3_000 },
    )
    await orders.send({ number: 1 })
    await passMs(10_000)
    expect(attempts).toEqual([1, 2])
    await consumer.stop({ drainMs: 10 })
  }),
)

it(
  'QU-4: never more in hand than concurrency allows',
  trying(async ({ open, passMs }) => {
    const orders = open<{ number: number }>()
    let now = 0
    let most = 0
    const consumer = await orders.consume(
      async () => {
        most = Math.max(most, ++now)
        await passMs(50)
        now -= 1
      },
      { ...brief, concurrency: 5 },
    )
    await orders.sendAll(Array.from({ length: 60 }, (_, number) => ({ payload: { number } })))
    await passMs(3_000)
    expect(most).toBe(5)
    expect((await orders.stats()).ready).toBe(0)
    await consumer.stop()
  }),
)

it(
  'QU-7: stop waits for handlers, then gives the rest back without counting the attempt',
  trying(async ({ open, passMs }) => {
    const orders = open<{ number: number }>()
    const consumer = await orders.consume(() => passMs(60_000), { ...brief, concurrency: 1 })
    await orders.send({ number: 1 })
    await passMs(500)
    expect(consumer.inFlight()).toBe(1)
    await consumer.stop({ drainMs: 1_000 })
    const attempts: number[] = []
    const next = await orders.consume((_, { attempt }) => void attempts.push(attempt), {
      ...brief,
      concurrency: 1,
    })
    await passMs(1_000)
    expect(attempts).toEqual([1])
    await next.stop()
  }),
)

it(
  'QU-5, QU-6: a full queue says so before anything is stored; the same id is stored once',
  trying(async ({ open }) => {
    const orders = open<{ number: number }>({ lengthMax: 2 })
    expect(await orders.send({ number: 1 }, { id: 'one' })).toEqual({ id: 'one', status: 'stored' })
    expect(await orders.send({ number: 1 }, { id: 'one' })).toMatchObject({ status: 'duplicate' })
    await orders.send({ number: 2 })
    await expect(orders.send({ number: 3 })).rejects.toMatchObject({
      code: 'limit-exceeded',
      outcome: 'not-applied',
    })
    expect((await orders.stats()).ready).toBe(2)
  }),
)

it(
  'a rolling deploy: an old consumer never sees a new version, and what nobody claims is seen',
  trying(async ({ open, passMs }) => {
    const old = open<{ number: number }>({ version: 1 })
    const renewed = open<{ number: number }>({ version: 2, accepts: [1] })
    const seen: string[] = []
    const first = await old.consume(({ number }) => void seen.push(`old ${number}`), {
      ...brief,
      concurrency: 1,
    })
    await renewed.send({ number: 2 })
    await passMs(2_000)
    expect(seen).toEqual([])
    expect((await old.stats()).readyByKind).toEqual({ 'orders@2': 1 })
    await first.stop()
    await old.send({ number: 1 })
    const second = await renewed.consume(({ number }) => void seen.push(`new ${number}`), {
      ...brief,
      concurrency: 1,
    })
    await passMs(2_000)
    expect(seen.sort()).toEqual(['new 1', 'new 2'])
    await second.stop()
  }),
)

it(
  'QD-1: a delay is never cut short',
  trying(async ({ open, passMs, runtime }) => {
    const orders = open<{ dueMs: number }>()
    const lateMs: number[] = []
    const consumer = await orders.consume(
      ({ dueMs }) => void lateMs.push(runtime.clock.monotonicMs() - dueMs),
      { ...brief, concurrency: 4 },
    )
    for (const delayMs of [50, 900, 3_000, 40_000]) {
      await orders.send({ dueMs: runtime.clock.monotonicMs() + delayMs }, { delayMs })
    }
    await passMs(60_000)
    expect(lateMs).toHaveLength(4)
    for (const late of lateMs) {
      expect(late).toBeGreaterThanOrEqual(0)
      expect(late).toBeLessThan(2_500)
    }
    await consumer.stop()
  }),
)
