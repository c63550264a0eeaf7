/**
 * Producers and consumers of one queue in a store on other machines, under faults. Producers insist until
 * a publication is confirmed; consumers settle what they have done, put some of it back, and bury poison.
 *
 *   loss      what was confirmed has its effect in the end, or is a dead letter if it is poison
 *   phantom   what is delivered was published, with that content
 *   twice     what was answered to be settled is not handed to a claim that was made after the answer
 *   attempts  no two deliveries of a message have the same number
 *   order     first effects of one key come in the order published (where the store keeps keys in order)
 *
 * It does not judge that a message is with one consumer at a time: a broker takes back what is on a broken
 * connection, and tells nobody.
 */
import type { DriverStores } from '../../ports/driver.ts'
import type { Delivery, Settlement, WorkMessage, WorkStore } from '../../ports/work-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import type { Engine } from './engine.ts'
import { settled } from './engine-leases.sim.ts'

export interface EngineWorkTrial {
  engine(world: World): Engine<DriverStores & { readonly work: WorkStore }>
  /** Plants a bug. */
  readonly broken?: (store: WorkStore) => WorkStore
  /** Called now and then while there is work: strikes the store by hand. */
  strike?(engine: Engine<DriverStores & { readonly work: WorkStore }>): void
  readonly lastsMs?: number
}

const queue = 'jobs'
const kind = 'job.v1'
const leaseMs = 2_000
const limits = { lengthMax: 100_000, overflow: 'reject', dedupMs: 604_800_000 } as const

export function engineWorkTrial(trial: EngineWorkTrial): (world: World) => void {
  const { broken = (store) => store, lastsMs = 12_000 } = trial
  return (world) => {
    const engine = trial.engine(world)
    const judge = engineWorkJudge(world)
    const open = async (runtime: Runtime): Promise<WorkStore> => {
      const work = broken(engine.connect(runtime).work)
      while (!(await settled(world, () => work.declare(queue, limits).then(() => true)))) {
        await sleep(runtime.timers, 100)
      }
      return work
    }
    for (const name of ['p', 'q']) {
      // It outlives its producer, as an outbox does.
      const outbox: WorkMessage[] = []
      const places = { next: 0 }
      world.machine(name).process('producer', async (runtime) => {
        const work = await open(runtime)
        while (world.nowMs() < lastsMs || outbox.length > 0) {
          if (outbox.length === 0) outbox.push(...newMessages(runtime, work, name, places))
          await publish(world, work, judge, outbox)
          await sleep(runtime.timers, 400 * runtime.random.fraction('producer'))
        }
      })
    }
    for (const name of ['a', 'b', 'c']) {
      world.machine(name).process('consumer', async (runtime) => {
        const work = await open(runtime)
        for (;;) {
          if ((await consume(world, runtime, work, judge)) > 0) continue
          await sleep(runtime.timers, 200)
        }
      })
    }
    world.client('fate', async (runtime) => {
      while (world.nowMs() < lastsMs) {
        await sleep(runtime.timers, 2_500)
        trial.strike?.(engine)
      }
    })
    world.afterHealing('the queue runs empty and nothing is missing', async (runtime) => {
      const work = await open(runtime)
      for (let tries = 0; ; tries += 1) {
        if (tries > 600) return world.fail('progress', 'the queue never ran empty')
        await sleep(runtime.timers, 250)
        const stats = await settled(world, () => work.stats(queue))
        if (stats === undefined || world.nowMs() < lastsMs) continue
        if (stats.ready + stats.delayed + stats.inFlight + stats.blocked > 0) continue
        if (judge.unconfirmed() > 0) continue
        const letters = await settled(world, () => work.deadLetters(queue, { limit: 1_000 }))
        if (letters === undefined) continue
        judge.finish(letters.map(({ message }) => message.id))
        if (judge.effects() > 20) world.reached('much was done')
        return
      }
    })
  }
}

function newMessages(
  runtime: Runtime,
  { capabilities }: WorkStore,
  producer: string,
  places: { next: number },
): WorkMessage[] {
  const draw = (): number => runtime.random.fraction('producer')
  return Array.from({ length: 1 + Math.floor(draw() * 4) }, () => {
    const place = places.next
    places.next += 1
    const keyed = capabilities.orderByKey !== 'refused' && draw() < 0.5
    return {
      id: `${producer}/${place}`,
      kind,
      body: draw() < 0.05 ? 'poison' : `body ${place}`,
      headers: { place: String(place) },
      ...(keyed ? { key: `${producer}/${Math.floor(draw() * 3)}` } : {}),
      ...(draw() < 0.2 ? { delayMs: Math.floor(draw() * 1_000) } : {}),
    }
  })
}

async function publish(
  world: World,
  work: WorkStore,
  judge: EngineWorkJudge,
  outbox: WorkMessage[],
): Promise<void> {
  for (const message of outbox) judge.publishes(message)
  const answer = await settled(world, () => work.publish(queue, outbox))
  if (answer === undefined || answer === 'full') return
  if (answer.includes('duplicate')) world.reached('a publication was repeated')
  for (const { id } of outbox) judge.confirmed(id)
  world.committed()
  outbox.length = 0
}

/** @returns how many were claimed. */
async function consume(
  world: World,
  runtime: Runtime,
  work: WorkStore,
  judge: EngineWorkJudge,
): Promise<number> {
  const draw = (): number => runtime.random.fraction('consumer')
  const askedMs = world.nowMs()
  const request = { limit: 1 + Math.floor(draw() * 4), leaseMs, consumer: 'c', kinds: [kind] }
  const deliveries = (await settled(world, () => work.claim(queue, request))) ?? []
  for (const delivery of deliveries) judge.delivered(delivery, askedMs)
  for (const delivery of deliveries) {
    await sleep(runtime.timers, 150 * draw())
    const { message, receipt, validUntilMs } = delivery
    // Whose time is up is not worked on: the order of its key is another's by now.
    if (validUntilMs <= runtime.clock.monotonicMs()) continue
    let settlement: Settlement = { receipt, outcome: 'done' }
    if (message.body === 'poison') settlement = { receipt, outcome: 'dead', reason: 'poison' }
    else if (draw() < 0.1) settlement = { receipt, outcome: 'retry', delayMs: 100, reason: 'again' }
    else judge.effect(message)
    const answers = await settled(world, () => work.settle(queue, [settlement]))
    const [answer] = answers ?? []
    if (answer === 'lost') world.reached('a settlement was lost')
    if (answer === 'settled' && settlement.outcome !== 'retry') judge.settled(message.id)
  }
  return deliveries.length
}

interface EngineWorkJudge {
  publishes(message: WorkMessage): void
  confirmed(id: string): void
  /** @param askedMs when the claim was made, by the world's clock. */
  delivered(delivery: Delivery, askedMs: number): void
  effect(message: WorkMessage): void
  settled(id: string): void
  effects(): number
  unconfirmed(): number
  finish(deadLetters: readonly string[]): void
}

interface Known {
  readonly message: WorkMessage
  confirmed: boolean
  hasEffect: boolean
  settledMs: number
  readonly attempts: Set<number>
}

function engineWorkJudge(world: World): EngineWorkJudge {
  const known = new Map<string, Known>()
  const placeOfKey = new Map<string, number>()
  const lastPlace = new Map<string, number>()
  const all = (): Known[] => [...known.values()]

  function seen({ id, headers }: WorkMessage, attempt: number): void {
    if (attempt > 1) world.reached('a message was redelivered')
    const [producer = ''] = id.split('/')
    const place = Number(headers?.place)
    if (place < (lastPlace.get(producer) ?? -1)) world.reached('messages were reordered')
    lastPlace.set(producer, place)
  }

  return {
    publishes(message) {
      if (known.has(message.id)) return
      const settledMs = Number.POSITIVE_INFINITY
      const one = { message, confirmed: false, hasEffect: false, settledMs, attempts: new Set([0]) }
      known.set(message.id, one)
    },
    confirmed(id) {
      const one = known.get(id)
      if (one !== undefined) one.confirmed = true
    },
    delivered({ message, attempt }, askedMs) {
      const { id, body } = message
      const one = known.get(id)
      if (one?.message.body !== body) return world.fail('phantom', `"${id}" was never published`)
      if (one.attempts.has(attempt)) world.fail('attempts', `"${id}" has attempt ${attempt} twice`)
      one.attempts.add(attempt)
      if (askedMs > one.settledMs) world.fail('twice', `"${id}" came again after it was settled`)
      seen(message, attempt)
    },
    effect({ id, key, headers }) {
      const one = known.get(id)
      if (one === undefined || one.hasEffect) return
      one.hasEffect = true
      if (key === undefined) return
      const place = Number(headers?.place)
      const before = placeOfKey.get(key) ?? -1
      if (place < before) world.fail('order', `"${id}" is ${place} of its key, after ${before}`)
      placeOfKey.set(key, place)
    },
    settled(id) {
      const one = known.get(id)
      if (one !== undefined) one.settledMs = Math.min(one.settledMs, world.nowMs())
    },
    effects: () => all().filter(({ hasEffect }) => hasEffect).length,
    unconfirmed: () => all().filter(({ confirmed }) => !confirmed).length,
    finish(deadLetters) {
      const dead = new Set(deadLetters)
      for (const { message, hasEffect } of all()) {
        const { id, body } = message
        const arrived = body === 'poison' ? dead.has(id) : hasEffect
        if (!arrived) world.fail('loss', `"${id}" was confirmed and is gone`)
      }
    },
  }
}
