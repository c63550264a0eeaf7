/**
 * Producers and consumers of one queue on one machine. Producers insist until a publication is confirmed,
 * and keep it in an outbox that survives them; consumers are slow, forgetful and killed in mid-work; some
 * messages are poison. Around them the machine loses power, hints are lost and clocks are set.
 */
import { isHoldfastError, outcomeOf } from '../../errors.ts'
import type { Delivery, Settlement, WorkMessage, WorkStore } from '../../ports/work-store.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { FaultKind, World } from '../../simulation/world.ts'
import { type EmbeddedOptions, embedded } from './embedded.ts'
import { isPoison, type WorkJudge, workJudge } from './work-judge.ts'

/** The faults that a machine with a file can suffer. */
export const workTrialFaults: readonly FaultKind[] = [
  'kill',
  'machine-crash',
  'pause',
  'hint-loss',
  'slow-disk',
  'wall-clock-step',
  'wall-clock-drift',
]

export interface WorkTrial {
  /** How long producers produce, in virtual time. */
  readonly lastsMs?: number
  readonly durability?: EmbeddedOptions['durability']
  /** Plants a bug. */
  readonly broken?: (store: WorkStore) => WorkStore
}

const queue = 'jobs'
const kind = 'job.v1'
const leaseMs = 500
const attemptsMax = 3
const producerRestMs = 160
// The horizon is counted by the wall clock, so it must outlast any step of it.
const limits = { lengthMax: 100_000, overflow: 'reject', dedupMs: 604_800_000 } as const

/** What a process of the trial has in hand. */
interface Hands {
  readonly world: World
  readonly runtime: Runtime
  readonly work: WorkStore
  readonly judge: WorkJudge
  /** Asks the store as a careful user does. @returns `undefined` if nothing happened, or nobody knows. */
  ask<Value>(question: () => Promise<Value>): Promise<Value | undefined>
  chance(share: number): boolean
  /** A whole number below `below`. */
  draw(below: number): number
}

interface Audit {
  readonly atMs: number
  readonly unsettled: number
  readonly deadLetters: readonly string[]
}

export function workTrial(trial: WorkTrial = {}): (world: World) => void {
  const { lastsMs = 1_200, durability = {}, broken } = trial
  return (world) => {
    const judge = workJudge((verdict, message) => world.fail(verdict, message))
    const host = world.machine('host')
    const start = (name: string, main: (hands: Hands) => Promise<void>): void => {
      host.process(name, async (runtime) => {
        const path = '/trial.db'
        const seen = { ...runtime, clock: seenBy(judge, runtime.clock) }
        const stores = await embedded(seen, { path, namespace: 'trial', durability })
        const work = broken?.(stores.work) ?? stores.work
        const hands = handsOf(world, runtime, work, judge)
        while ((await hands.ask(() => work.declare(queue, limits).then(() => true))) !== true) {
          await sleep(runtime.timers, 100)
        }
        await main(hands)
      })
    }
    for (const name of ['producer-0', 'producer-1']) {
      const outbox: WorkMessage[] = []
      const places = { next: 0 }
      start(name, async (hands) => {
        while (outbox.length > 0 || world.nowMs() < lastsMs) {
          if (outbox.length === 0) outbox.push(...newMessages(hands, name, places))
          // Now and then a producer forgets that it was told.
          if ((await confirmed(hands, outbox)) && !hands.chance(0.1)) outbox.length = 0
          await sleep(hands.runtime.timers, hands.draw(producerRestMs))
        }
        await new Promise(() => {})
      })
    }
    for (const name of ['consumer-0', 'consumer-1', 'consumer-2']) start(name, consume)
    let audit: Audit | undefined
    start('auditor', async (hands) => {
      for (;;) {
        await sleep(hands.runtime.timers, 500)
        audit = (await audited(hands)) ?? audit
      }
    })
    world.client('clock', (runtime) => sleep(runtime.timers, lastsMs))
    world.afterHealing('the queue runs empty and nothing is missing', async (runtime) => {
      const healedMs = world.nowMs()
      const drained = () =>
        audit !== undefined && audit.atMs > healedMs + 2_000 && audit.unsettled === 0
      for (let waitedMs = 0; !drained(); waitedMs += 250) {
        if (waitedMs > 120_000) return world.fail('progress', `unsettled: ${audit?.unsettled}`)
        await sleep(runtime.timers, 250)
      }
      judge.finish(audit?.deadLetters ?? [])
      if (judge.effects > 10) world.reached('much was done')
    })
  }
}

/** The store reads the clock on its own, too: at its start, and when it tries again. */
function seenBy(judge: WorkJudge, clock: Clock): Clock {
  return {
    wallMs() {
      judge.asks(clock)
      return clock.wallMs()
    },
    monotonicMs: () => clock.monotonicMs(),
    get bootId() {
      return clock.bootId
    },
  }
}

function handsOf(world: World, runtime: Runtime, work: WorkStore, judge: WorkJudge): Hands {
  const draw = (below: number) => Math.floor(runtime.random.fraction('trial') * below)
  return {
    world,
    runtime,
    work,
    judge,
    draw,
    chance: (share) => runtime.random.fraction('trial') < share,
    async ask(question) {
      try {
        return await question()
      } catch (error) {
        if (isHoldfastError(error) && outcomeOf(error) !== 'invalid') return undefined
        throw error
      }
    },
  }
}

/** Keys belong to one producer, so that their order is known. */
function newMessages(hands: Hands, producer: string, places: { next: number }): WorkMessage[] {
  return Array.from({ length: 1 + hands.draw(4) }, () => {
    const place = places.next
    places.next += 1
    const keyed = hands.chance(0.6)
    return {
      id: `${producer}/${place}`,
      kind,
      body: hands.chance(0.08) ? 'poison' : `body ${place}`,
      headers: { place: String(place) },
      ...(keyed ? { key: `${producer}/${hands.draw(3)}` } : { priority: hands.draw(10) }),
      ...(hands.chance(0.3) ? { delayMs: hands.draw(800) } : {}),
    }
  })
}

async function confirmed(hands: Hands, messages: readonly WorkMessage[]): Promise<boolean> {
  const { judge, runtime, work, world } = hands
  for (const message of messages) judge.publishes(message, runtime.clock)
  const answer = await hands.ask(() => work.publish(queue, messages))
  if (answer === undefined || answer === 'full') return false
  if (answer.includes('duplicate')) world.reached('a publication was repeated')
  for (const message of messages) judge.confirmed(message)
  return true
}

async function consume(hands: Hands): Promise<void> {
  const { work, runtime, judge } = hands
  let rung = (): void => {}
  work.watch(queue, () => rung())
  for (;;) {
    const request = { limit: 1 + hands.draw(5), leaseMs, consumer: 'c', kinds: [kind] }
    const deliveries = (await hands.ask(() => work.claim(queue, request))) ?? []
    // All of them first: the other consumers may be ahead of what this one gets to.
    for (const delivery of deliveries) judge.delivered(delivery, runtime.clock)
    const overMs = runtime.clock.monotonicMs() + leaseMs
    for (const delivery of deliveries) await handle(hands, delivery, overMs)
    if (deliveries.length > 0) continue
    await new Promise<void>((resolve) => {
      const timer = runtime.timers.schedule(5_000, resolve)
      rung = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}

/** @param latestMs when the delivery is surely over: counted from after the answer. */
async function handle(hands: Hands, delivery: Delivery, latestMs: number): Promise<void> {
  const { world, runtime, judge, work } = hands
  const { message, attempt, receipt } = delivery
  let overMs = latestMs
  if (attempt > 1) world.reached('a message was delivered again')
  // Most work is short; some outlasts its lease.
  await sleep(runtime.timers, hands.draw(hands.chance(0.1) ? 900 : 90))
  if (hands.chance(0.2)) {
    const untilMs = runtime.clock.monotonicMs() + leaseMs
    const held = await hands.ask(() => work.extend(queue, [receipt], leaseMs))
    if (held?.[0] === true) judge.extended(delivery, Math.floor(untilMs))
    overMs = runtime.clock.monotonicMs() + leaseMs
  }
  if (isPoison(message)) {
    if (attempt >= attemptsMax) {
      return settle(hands, delivery, overMs, { receipt, outcome: 'dead', reason: 'poison' })
    }
  } else if (runtime.clock.monotonicMs() < delivery.validUntilMs) judge.effect(message)
  else if (runtime.clock.monotonicMs() < overMs) return
  // Otherwise it is careless: it reports as done what it was too late to do.
  if (hands.chance(0.08)) return
  const retry = isPoison(message) || hands.chance(0.1)
  await settle(
    hands,
    delivery,
    overMs,
    retry
      ? { receipt, outcome: 'retry', delayMs: hands.draw(300), reason: 'again' }
      : { receipt, outcome: 'done' },
  )
}

async function settle(
  hands: Hands,
  delivery: Delivery,
  overMs: number,
  settlement: Settlement,
): Promise<void> {
  const { world, runtime, judge, work } = hands
  for (let tries = 0; tries < 5; tries += 1) {
    const wallMs = runtime.clock.wallMs()
    const sentMs = runtime.clock.monotonicMs()
    judge.settles(delivery)
    const [answer] = (await hands.ask(() => work.settle(queue, [settlement]))) ?? []
    if (answer === 'settled') {
      if (sentMs > overMs) {
        world.fail(
          'late',
          `${settlement.receipt} ended ${sentMs - overMs} ms before it was settled`,
        )
      }
      const retried = settlement.outcome === 'retry'
      return judge.settled(delivery, retried ? wallMs + settlement.delayMs : undefined)
    }
    if (answer === 'lost') {
      world.reached('a settlement came too late')
      if (tries === 0) judge.wasLost(delivery, runtime.clock)
      return
    }
  }
}

async function audited({ world, work, ask }: Hands): Promise<Audit | undefined> {
  const atMs = world.nowMs()
  const stats = await ask(() => work.stats(queue))
  const letters = await ask(() => work.deadLetters(queue, { limit: 1_000 }))
  if (stats === undefined || letters === undefined) return undefined
  const { ready, delayed, inFlight, blocked, dead } = stats
  for (const [name, count] of Object.entries({ ready, delayed, inFlight, blocked, dead })) {
    if (count < 0) world.fail('counters', `${count} messages are ${name}`)
  }
  const unsettled = ready + delayed + inFlight + blocked
  return { atMs, unsettled, deadLetters: letters.map(({ message }) => message.id) }
}
