/**
 * Sagas on trial. Two orchestrators of one machine run orders through a store room and a bank on two other
 * machines, over streams that break, while processes are killed and stopped, machines lose power and the
 * network parts. Originals are sent again long after they were given up. At the end, on quiet ground:
 *   lost-saga       Every saga whose `begin` returned has ended (nobody parks here).
 *   two-outcomes    Everyone who is told the outcome of a saga is told the same one.
 *   orphan          What is reserved or charged belongs to a saga that completed.
 *   missing         A saga that completed has its reservation shipped, one charge and one thanks.
 *   conservation    Shelf plus reservations, account plus charges, are what they were.
 */

import { HoldfastError, OutcomeUnknownError, outcomeOf } from '../../errors.ts'
import { trialRecords } from '../../kernels/bad-line.sim.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import { type Runtime, type SqlRow, sleep } from '../../runtime/index.ts'
import type { World } from '../../simulation/world.ts'
import type { SagaEngine, SagaHandle } from './contract.ts'
import { type StepContext, saga } from './definition.ts'
import { sagaEngine } from './engine.ts'
import {
  ask,
  initialBalance,
  initialStock,
  type Place,
  type PlantedParticipant,
  participants,
  persistently,
  type Request,
} from './participants.sim.ts'
import { refuse } from './refusal.ts'

/** A bug to plant, so that the trial can be shown to find it. */
export interface SagaPlant {
  readonly participant?: PlantedParticipant
  readonly store?: (store: RecordStore) => RecordStore
  /** Around each call of a step: what a careless author or engine would make of a failure. */
  readonly call?: (work: () => Promise<unknown>) => Promise<unknown>
  readonly durability?: 'full' | 'relaxed'
}

interface Order {
  readonly amount: number
}

const ordersEach = 3
const lateMs = 6_000

export function sagaTrial(plant: SagaPlant = {}): (world: World) => void {
  return (world) => {
    participants(world, plant.participant)
    const judge = outcomeJudge(world)
    const shop = world.machine('shop')
    const taken = { orders: 0 }
    for (const name of ['o1', 'o2']) {
      shop.process(name, (runtime) => orchestrate(world, runtime, plant, judge, taken))
    }
    world.afterHealing('in the end', (runtime) => verify(world, runtime, plant, judge), {
      machine: 'shop',
    })
  }
}

async function open(world: World, runtime: Runtime, plant: SagaPlant) {
  const { durability = 'full' } = plant
  const records = await persistently(runtime, () => trialRecords(runtime, { durability }))
  const options = { holdMs: 1_500, pollMs: 500, concurrency: 8 }
  const engine = sagaEngine(runtime, plant.store?.(records) ?? records, options)
  return { engine, handle: engine.register(definition(world, runtime, plant)) }
}

function definition(world: World, runtime: Runtime, plant: SagaPlant) {
  const retry = { attemptsMax: 2, parkAfter: 100_000, baseMs: 50, capMs: 500 }
  const { call = (work) => work() } = plant

  /** Once it has left, it may come again, long after. What never left will never come. */
  async function send(place: Place, request: Request): Promise<unknown> {
    let left = true
    try {
      const answer = await ask(runtime, place, request)
      if (runtime.random.fraction('lost') >= 0.2) return answer
      throw new OutcomeUnknownError('the answer got lost')
    } catch (error) {
      left = outcomeOf(error) === 'unknown'
      throw error
    } finally {
      const again = left && !request.verb.startsWith('undo')
      if (again && runtime.random.fraction('late') < 0.3) {
        runtime.tasks.spawn('late-original', async () => {
          await sleep(runtime.timers, runtime.random.fraction('late') * lateMs)
          await ask(runtime, place, request).catch(() => {})
        })
      }
    }
  }

  const step =
    (place: Place, verb: Request['verb']) =>
    async ({ amount }: Order, context: StepContext<unknown> & { originalKey?: string }) => {
      const key = context.originalKey ?? context.key
      const request = { verb, key, saga: context.id, amount }
      const answer = (await call(() => send(place, request))) as { status: string }
      if (answer.status === 'refused') return refuse(`${verb} was refused`)
      if (answer.status === 'undone' && !verb.startsWith('undo')) {
        world.reached('a tombstone refused an original')
        return refuse(`${verb} was undone before it came`)
      }
      return answer.status
    }

  return saga<Order>('order', { version: 1, timeoutMs: 3_600_000 })
    .step('reserve', {
      run: step('stock', 'reserve'),
      compensate: step('stock', 'undo reserve'),
      // Less than the line's own patience, so that the engine has to give up first.
      timeoutMs: 1_500,
      retry,
    })
    .step('charge', {
      run: step('bank', 'charge'),
      compensate: step('bank', 'undo charge'),
      timeoutMs: 1_500,
      retry,
    })
    .step('ship', { run: step('stock', 'ship'), retry })
    .step('thank', { run: step('bank', 'thank'), retry })
}

async function orchestrate(
  world: World,
  runtime: Runtime,
  plant: SagaPlant,
  judge: OutcomeJudge,
  taken: { orders: number },
): Promise<void> {
  const { engine, handle } = await open(world, runtime, plant)
  engine.start()
  const roll = (sides: number): number => Math.floor(runtime.random.fraction('orders') * sides)
  while (taken.orders < 2 * ordersEach) {
    await sleep(runtime.timers, roll(1_200))
    taken.orders += 1
    const id = `order-${taken.orders}`
    const input = { amount: 20 + 10 * (taken.orders % 9) }
    runtime.tasks.spawn('order', async () => {
      try {
        await handle.begin(input, { id })
        judge.begun(id)
        if (roll(6) === 0) {
          await sleep(runtime.timers, roll(300))
          await handle.cancel(id, 'changed my mind')
        }
        judge.ended(id, (await handle.wait(id)).status)
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.outcome === 'invalid') throw error
      }
    })
  }
  await new Promise(() => {})
}

interface OutcomeJudge {
  begun(id: string): void
  ended(id: string, status: string): void
  readonly ids: () => readonly string[]
}

function outcomeJudge(world: World): OutcomeJudge {
  const begun = new Set<string>()
  const ended = new Map<string, string>()
  return {
    begun: (id) => begun.add(id),
    ids: () => [...begun].sort(),
    ended(id, status) {
      const first = ended.get(id)
      if (first !== undefined && first !== status) {
        world.fail('two-outcomes', `${id} was told to be ${first} and ${status}`)
      }
      ended.set(id, status)
      world.reached(status)
    },
  }
}

async function verify(
  world: World,
  runtime: Runtime,
  plant: SagaPlant,
  judge: OutcomeJudge,
): Promise<void> {
  const { engine, handle } = await open(world, runtime, plant)
  for (const id of judge.ids()) await mustEnd(world, runtime, engine, handle, judge, id)
  await sleep(runtime.timers, lateMs + 5_000) // every late original has come, and what was unbegun too
  const views = await persistently(runtime, () => engine.list({ limit: 1_000 }))
  for (const { id } of views) await mustEnd(world, runtime, engine, handle, judge, id)
  const ends = new Map(
    (await persistently(runtime, () => engine.list({ limit: 1_000 }))).map((view) => [
      view.id,
      view,
    ]),
  )
  for (const view of views) if ((view.steps[0]?.attempts ?? 0) > 2) world.reached('many attempts')
  const look = (place: Place, tables: string) =>
    persistently(runtime, () =>
      ask(runtime, place, { verb: 'dump', key: tables, saga: '', amount: 0 }),
    ) as Promise<Record<string, SqlRow[]>>
  const { shelf = [], reservation = [] } = await look('stock', 'shelf reservation')
  const { account = [], charge = [], thanks = [] } = await look('bank', 'account charge thanks')

  for (const rows of [reservation, charge, thanks]) {
    for (const { saga: id } of rows) {
      const status = ends.get(String(id))?.status
      if (status !== 'completed') world.fail('orphan', `${id} is ${status}, but has an effect`)
    }
  }
  for (const [id, { status }] of ends) {
    if (status !== 'completed') continue
    const of = (rows: SqlRow[]): SqlRow[] => rows.filter((row) => row.saga === id)
    const counts = [of(reservation), of(charge), of(thanks)].map(({ length }) => length)
    if (counts.some((count) => count !== 1) || of(reservation)[0]?.shipped !== 1) {
      world.fail('missing', `${id} is completed with ${counts.join('/')} effects`)
    }
  }
  const inStock = Number(shelf[0]?.free) + reservation.length
  const spent = charge.reduce((sum, { amount }) => sum + Number(amount), 0)
  const money = Number(account[0]?.balance) + spent
  if (inStock !== initialStock) world.fail('conservation', `${inStock} things in stock`)
  if (money !== initialBalance) world.fail('conservation', `${money} in the bank`)
}

async function mustEnd(
  world: World,
  runtime: Runtime,
  engine: SagaEngine,
  handle: SagaHandle<Order, unknown>,
  judge: OutcomeJudge,
  id: string,
): Promise<void> {
  // A clock that was an hour ahead before a power cut makes due times late by up to that hour.
  const untilMs = world.nowMs() + 2 * 3_600_000
  for (let pauseMs = 250; world.nowMs() < untilMs; pauseMs = Math.min(30_000, pauseMs * 1.2)) {
    const view = await persistently(runtime, () => engine.inspect('order', id))
    if (view === undefined) return world.fail('lost-saga', `${id} was begun and is not there`)
    const outcome = await persistently(runtime, () => handle.result(id))
    if (outcome) return judge.ended(id, outcome.status)
    await sleep(runtime.timers, pauseMs)
  }
  world.fail('lost-saga', `${id} does not end`)
}
