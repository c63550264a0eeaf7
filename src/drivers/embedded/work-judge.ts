/**
 * The judge of a queue sees what nobody inside can: every publication, delivery and settlement of all
 * processes, in the order in which they learnt of them. It knows no SQL. Its rules:
 *
 * - loss: a message whose publication was confirmed has its effect, or is a dead letter if it is poison;
 * - phantom: what is delivered was published, with that content;
 * - twice: a message that was settled as done is not delivered again;
 * - exclusion: while a delivery is valid and unsettled there is no other of its message or key;
 * - lost: a delivery that is valid cannot be taken away by somebody else's settlement;
 * - order: the first effects of one key come in the order published;
 * - attempts: no two deliveries of a message have the same attempt;
 * - early: nothing is delivered before its delay is over, by the latest time the file can have known.
 */
import type { Delivery, WorkMessage } from '../../ports/work-store.ts'
import type { Clock } from '../../runtime/clock.ts'

export interface WorkJudge {
  /** Called whenever a store reads its clock. */
  asks(clock: Clock): void
  publishes(message: WorkMessage, clock: Clock): void
  confirmed(message: WorkMessage): void
  delivered(delivery: Delivery, clock: Clock): void
  /** The effect of a delivery; repeated effects of one message are counted once. */
  effect(message: WorkMessage): void
  /** The settlement is sent, so from now on the delivery may have ended. */
  settles(delivery: Delivery): void
  /** It took effect. A retry comes back no earlier than `notBeforeMs`, counted from before it was sent. */
  settled(delivery: Delivery, notBeforeMs: number | undefined): void
  /** The answer to the first settlement of a delivery was `lost`. */
  wasLost(delivery: Delivery, clock: Clock): void
  extended(delivery: Delivery, validUntilMs: number): void
  readonly published: number
  readonly effects: number
  /** At the end, with the ids of all dead letters. */
  finish(deadLetters: readonly string[]): void
}

/** Poison kills whoever handles it, until it is a dead letter. */
export const isPoison = ({ body }: WorkMessage): boolean => body.includes('poison')

interface Known {
  readonly message: WorkMessage
  notBeforeMs: number
  confirmed: boolean
  done: boolean
  hasEffect: boolean
  readonly attempts: Set<number>
}

interface Open {
  readonly delivery: Delivery
  readonly boot: string
  validUntilMs: number
}

export function workJudge(fail: (verdict: string, message: string) => void): WorkJudge {
  const known = new Map<string, Known>()
  const open = new Map<string, Open>()
  const lastOfKey = new Map<string, number>()
  const latest = latestTime()
  let effects = 0

  function find(message: WorkMessage): Known {
    const found = known.get(message.id)
    if (found !== undefined && found.message.body === message.body) return found
    fail('phantom', `"${message.id}" was never published like that`)
    throw new Error('unreachable')
  }

  function stillValid({ boot, validUntilMs }: Open, clock: Clock): boolean {
    return boot === clock.bootId && clock.monotonicMs() < validUntilMs
  }

  function requireAlone({ message, receipt }: Delivery, clock: Clock): void {
    for (const other of open.values()) {
      if (!stillValid(other, clock)) continue
      const { id, key } = other.delivery.message
      if (id !== message.id && (key === undefined || key !== message.key)) continue
      fail('exclusion', `${receipt} of "${message.id}" beside ${other.delivery.receipt} of "${id}"`)
    }
  }

  return {
    asks: latest.read,
    publishes(message, clock) {
      const notBeforeMs = clock.wallMs() + (message.delayMs ?? 0)
      const before = known.get(message.id)
      if (before !== undefined) {
        // Asked again after a crash, by a clock that was set back: nobody knows which of them was stored.
        const unseen = !before.confirmed && before.attempts.size === 0
        if (unseen) before.notBeforeMs = Math.min(before.notBeforeMs, notBeforeMs)
        return
      }
      known.set(message.id, {
        message,
        notBeforeMs,
        confirmed: false,
        done: false,
        hasEffect: false,
        attempts: new Set(),
      })
    },
    confirmed(message) {
      find(message).confirmed = true
    },
    delivered(delivery, clock) {
      const { message, attempt, receipt, validUntilMs } = delivery
      const one = find(message)
      const nowMs = latest.read(clock)
      if (nowMs < one.notBeforeMs - 1) {
        fail('early', `"${message.id}" came ${one.notBeforeMs - nowMs} ms early`)
      }
      if (one.attempts.has(attempt))
        fail('attempts', `"${message.id}" has attempt ${attempt} twice`)
      one.attempts.add(attempt)
      const mine = { delivery, boot: clock.bootId, validUntilMs }
      if (!stillValid(mine, clock)) return
      if (one.done) fail('twice', `"${message.id}" was delivered after it was done`)
      requireAlone(delivery, clock)
      open.set(receipt, mine)
    },
    effect(message) {
      const one = find(message)
      if (one.hasEffect) return
      one.hasEffect = true
      effects += 1
      if (message.key === undefined) return
      const place = Number(message.headers?.place)
      const before = lastOfKey.get(message.key) ?? -1
      if (place < before) fail('order', `"${message.id}" is ${place} of its key, after ${before}`)
      lastOfKey.set(message.key, place)
    },
    settles({ receipt }) {
      open.delete(receipt)
    },
    settled({ message }, notBeforeMs) {
      const one = find(message)
      if (notBeforeMs === undefined) one.done = true
      else one.notBeforeMs = notBeforeMs
    },
    wasLost({ message, receipt, validUntilMs }, clock) {
      if (clock.monotonicMs() < validUntilMs) {
        fail('lost', `${receipt} of "${message.id}" was valid and is gone`)
      }
    },
    extended({ receipt }, validUntilMs) {
      const one = open.get(receipt)
      if (one !== undefined) one.validUntilMs = Math.max(one.validUntilMs, validUntilMs)
    },
    get published() {
      return known.size
    },
    get effects() {
      return effects
    },
    finish(deadLetters) {
      const dead = new Set(deadLetters)
      if (dead.size !== deadLetters.length) fail('twice', 'a message has two dead letters')
      for (const { message, confirmed, hasEffect } of known.values()) {
        const arrived = isPoison(message) ? dead.has(message.id) : hasEffect
        if (confirmed && !arrived) fail('loss', `"${message.id}" was confirmed and is gone`)
        if (dead.has(message.id) && !isPoison(message)) fail('phantom', `"${message.id}" is dead`)
      }
    },
  }
}

/** No file can know a later time than this: the wall clocks read so far, and what has passed since. */
function latestTime(): { read(clock: Clock): number } {
  let latestMs = 0
  let monotonicMs = 0
  let boot = ''
  return {
    read(clock) {
      const passedMs = boot === clock.bootId ? clock.monotonicMs() - monotonicMs : 0
      latestMs = Math.max(clock.wallMs(), latestMs + passedMs)
      monotonicMs = clock.monotonicMs()
      boot = clock.bootId
      return latestMs
    },
  }
}
