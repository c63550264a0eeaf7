/**
 * The queue on trial. Producers send numbered messages of a few keys, consumers in two processes write
 * each message's effect into a ledger together with the note that it happened. Processes are killed and
 * stopped, the machine loses power, hints get lost, the wall clock jumps; some consumers are stopped at the
 * worst moment, with a heartbeat on its way. Some work outlasts its lease.
 *
 * The judges, the first at once and the others after healing:
 *   silent-loss   whose message has gone to another finds the signal of its delivery aborted
 *   no-loss       every message whose `send` returned has its effect
 *   no-phantom    no effect without a message that was sent
 *   once          no effect twice
 *   order         effects of one key are in the order sent
 */
import { embedded, embeddedDatabase } from '../drivers/embedded/index.ts'
import { HoldfastError, outcomeOf } from '../errors.ts'
import type { SqlDatabase } from '../ports/sql-database.ts'
import type { WorkStore } from '../ports/work-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import type { Process, World } from '../simulation/world.ts'
import { effectOnce, effectOnceTables } from '../transactions/index.ts'
import type { DeliveryContext } from './delivery.ts'
import { type Queue, queue } from './queue.ts'

export interface QueueTrialOptions {
  /** A bug to plant in the store. */
  readonly breakStore?: (work: WorkStore) => WorkStore
  /** A bug to plant in the handler: the effect follows the acknowledgement. */
  readonly ackFirst?: boolean
  /** A bug to plant in the handler: the effect has no note beside it. */
  readonly noNote?: boolean
}

interface Numbered {
  readonly key: string
  readonly number: number
}

const ledgerTables = `
  ${effectOnceTables}
  CREATE TABLE effect (place INTEGER PRIMARY KEY, key TEXT NOT NULL, number INTEGER NOT NULL);`
const keys = ['a', 'b', 'c'] as const
const perKey = 12
const leaseMs = 1_500

export function queueTrial(options: QueueTrialOptions = {}): (world: World) => void {
  return (world) => {
    const machine = world.machine('m')
    /** By key, the numbers whose `send` returned, and those that may have been stored. */
    const sent = new Map<string, Set<number>>(keys.map((key) => [key, new Set()]))
    const tried = new Map<string, Set<number>>(keys.map((key) => [key, new Set()]))
    const progress = new Map<string, number>(keys.map((key) => [key, 0]))
    /** The latest attempt that a handler has begun, by message. */
    const taken = new Map<string, number>()
    for (const key of keys) {
      machine.process(`producer-${key}`, (runtime) =>
        produce(runtime, { key, sent, tried, progress }),
      )
    }
    for (const name of ['consumer-1', 'consumer-2']) {
      const process: Process = machine.process(name, (runtime) => {
        const store = (work: WorkStore): WorkStore =>
          stoppedAtWorst(options.breakStore?.(work) ?? work, runtime, process)
        return consume(world, runtime, { ...options, breakStore: store }, taken)
      })
    }
    const verify = async (runtime: Runtime): Promise<void> => {
      const ledger = await openLedger(runtime)
      for (;;) {
        const effects = await effectsOf(ledger)
        const complete = keys.every((key) => (progress.get(key) ?? 0) >= perKey)
        if (complete && lossOf(effects, sent) === undefined) break
        await sleep(runtime.timers, 500)
      }
      // Late repeats, if any were wrongly possible, get their chance.
      await sleep(runtime.timers, 30_000)
      judge(world, await effectsOf(ledger), sent, tried)
    }
    world.afterHealing('every message took effect', verify, { machine: machine.name })
  }
}

interface Production {
  readonly key: string
  readonly sent: Map<string, Set<number>>
  readonly tried: Map<string, Set<number>>
  readonly progress: Map<string, number>
}

/** Sends the numbers of one key, one after the other, each until its `send` has returned. */
async function produce(runtime: Runtime, production: Production): Promise<void> {
  const { key, sent, tried, progress } = production
  const orders = await openQueue(runtime)
  for (;;) {
    // Kept outside the process: a restarted producer goes on with the same number and the same id.
    const number = progress.get(key) ?? 0
    if (number >= perKey) return
    tried.get(key)?.add(number)
    try {
      await orders.send(
        { key, number },
        { key, id: `${key}-${number}`, delayMs: number % 4 === 3 ? 300 : 0 },
      )
      sent.get(key)?.add(number)
      progress.set(key, number + 1)
    } catch (error) {
      if (outcomeOf(error) === 'invalid') throw error
    }
    await sleep(runtime.timers, runtime.random.fraction('pace') * 200)
  }
}

/** Stops the process between the store's answer to a heartbeat and its own look at it. */
function stoppedAtWorst(store: WorkStore, runtime: Runtime, process: Process): WorkStore {
  return {
    ...store,
    async extend(name, receipts, forMs) {
      const answer = await store.extend(name, receipts, forMs)
      if (runtime.random.fraction('stop') < 0.1) {
        process.pause(Math.ceil((1 + runtime.random.fraction('stop')) * leaseMs))
        await sleep(runtime.timers, 0)
      }
      return answer
    },
  }
}

async function consume(
  world: World,
  runtime: Runtime,
  options: QueueTrialOptions,
  taken: Map<string, number>,
): Promise<void> {
  const ledger = await openLedger(runtime)
  const orders = await openQueue(runtime, options.breakStore)
  const handle = async ({ key, number }: Numbered, delivery: DeliveryContext): Promise<void> => {
    const { id } = delivery
    const isLong = runtime.random.fraction('long') < 0.15
    const endMs =
      runtime.clock.monotonicMs() + runtime.random.fraction('work') * (isLong ? 2 * leaseMs : 400)
    while (runtime.clock.monotonicMs() < endMs) {
      await sleep(runtime.timers, 25)
      await assertTold(world, runtime, taken, delivery)
    }
    const effect = {
      sql: 'INSERT INTO effect (key, number) VALUES (?1, ?2)',
      parameters: [key, number],
    }
    if (options.noNote) {
      await ledger.run({ statements: [effect] })
      return
    }
    const once = await effectOnce(ledger, { scope: 'orders', id }, [effect])
    if (!once.applied) world.reached('a message came twice')
  }
  await orders.consume(
    async (numbered, delivery) => {
      const { id, attempt } = delivery
      taken.set(id, Math.max(attempt, taken.get(id) ?? 0))
      if (attempt > 1) world.reached('an attempt was repeated')
      if (runtime.random.fraction('fail') < 0.1) throw new Error('the handler failed')
      if (options.ackFirst) void handle(numbered, delivery).catch(() => {})
      else await handle(numbered, delivery)
    },
    { concurrency: 4, leaseMs, attemptsMax: 1_000, retryDelayMs: () => 100 },
  )
  // A program that returns has ended: this one works until it is killed.
  await new Promise<never>(() => {})
}

/** After a pause the timers that are due may still be in line behind us, so one moment is granted. */
async function assertTold(
  world: World,
  runtime: Runtime,
  taken: ReadonlyMap<string, number>,
  { id, attempt, signal }: DeliveryContext,
): Promise<void> {
  if ((taken.get(id) ?? 0) <= attempt || signal.aborted) return
  await sleep(runtime.timers, 5)
  if (!signal.aborted) world.fail('silent-loss', `attempt ${attempt} of ${id} was not told`)
  else world.reached('a delivery was lost at work')
}

type Effect = readonly [key: string, number: number]

function lossOf(
  effects: readonly Effect[],
  sent: ReadonlyMap<string, ReadonlySet<number>>,
): string | undefined {
  const there = new Set(effects.map(([key, number]) => `${key}-${number}`))
  for (const [key, numbers] of sent) {
    for (const number of numbers) if (!there.has(`${key}-${number}`)) return `${key}-${number}`
  }
  return undefined
}

function judge(
  world: World,
  effects: readonly Effect[],
  sent: ReadonlyMap<string, ReadonlySet<number>>,
  tried: ReadonlyMap<string, ReadonlySet<number>>,
): void {
  const lost = lossOf(effects, sent)
  if (lost !== undefined) world.fail('no-loss', `${lost} was sent and had no effect`)
  const last = new Map<string, number>()
  for (const [key, number] of effects) {
    if (!tried.get(key)?.has(number)) world.fail('no-phantom', `${key}-${number} was never sent`)
    const before = last.get(key) ?? -1
    if (number === before) world.fail('once', `${key}-${number} took effect twice`)
    else if (number < before)
      world.fail('order', `${key}-${number} took effect after ${key}-${before}`)
    last.set(key, Math.max(before, number))
  }
}

async function effectsOf(ledger: SqlDatabase): Promise<readonly Effect[]> {
  const sql = 'SELECT key, number FROM effect ORDER BY place'
  const { results } = await ledger.run({ mode: 'read', statements: [{ sql }] })
  return (results[0]?.rows ?? []).map((row) => [String(row.key), Number(row.number)])
}

function openQueue(
  runtime: Runtime,
  breakStore = (work: WorkStore): WorkStore => work,
): Promise<Queue<Numbered>> {
  return persistently(runtime, async () => {
    const { work } = await embedded(runtime, { path: '/queue.db', namespace: 'trial' })
    const opened = queue<Numbered>({ runtime, work: breakStore(work) }, 'orders')
    await opened.stats()
    return opened
  })
}

function openLedger(runtime: Runtime): Promise<SqlDatabase> {
  return persistently(runtime, () =>
    embeddedDatabase(runtime, { path: '/ledger.db', migrations: [ledgerTables] }),
  )
}

/** A file may be busy while a process that was stopped in a commit holds it. */
async function persistently<T>(runtime: Runtime, open: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.outcome === 'invalid') throw error
      await sleep(runtime.timers, 200)
    }
  }
}
