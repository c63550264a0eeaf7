/**
 * Work that was sent and work that arrived. Nothing acknowledged to its sender may be lost, nothing may
 * arrive that was not sent, nothing may come again once it was settled, and what shares a key comes in order.
 */
import { type CheckReport, findings } from './findings.ts'

export interface Sent {
  /** Unique among all that was sent. */
  readonly id: string
  readonly key?: string
  readonly calledAt: number
  /** Infinity: no answer was seen. */
  readonly returnedAt: number
  /** `unknown` may have been sent; `failed` was not. */
  readonly outcome: 'sent' | 'failed' | 'unknown'
}

export interface Delivered {
  readonly id: string
  readonly at: number
  /** When the store confirmed that the work is done; absent: never, or nobody knows. */
  readonly settledAt?: number
}

export interface DeliveryOptions {
  /** Was the history recorded until nothing was left? Only then is what is missing lost. */
  readonly drained: boolean
  /** Must first deliveries of one key keep the order of their sends? Default false. */
  readonly ordered?: boolean
  /** Is each message to arrive at most once, settled or not? Default false. */
  readonly once?: boolean
}

export type DeliveryFinding = 'lost' | 'phantom' | 'early' | 'again' | 'order'

/** Linear but for a sort. */
export function checkDelivery(
  sends: readonly Sent[],
  deliveries: readonly Delivered[],
  { drained, ordered = false, once = false }: DeliveryOptions,
): CheckReport<DeliveryFinding> {
  const found = findings<DeliveryFinding>()
  const byId = new Map(sends.map((send) => [send.id, send]))
  const inOrder = [...deliveries].sort((a, b) => a.at - b.at)
  const settledAt = new Map<string, number>()
  const arrived = new Set<string>()
  /** Of each key, the latest call among messages that have arrived. */
  const latest = new Map<string, Sent>()
  for (const { id, at, settledAt: settled } of inOrder) {
    const send = byId.get(id)
    if (send === undefined || send.outcome === 'failed') {
      found.add('phantom', `"${id}" arrived but was never sent`)
      continue
    }
    if (at < send.calledAt) found.add('early', `"${id}" arrived before it was sent`)
    const done = settledAt.get(id)
    if (done !== undefined && done < at) {
      found.add('again', `"${id}" was settled at ${done} and came again at ${at}`)
    } else if (once && arrived.has(id)) found.add('again', `"${id}" arrived twice`)
    if (settled !== undefined) settledAt.set(id, Math.min(settled, done ?? settled))
    if (ordered && send.key !== undefined && !arrived.has(id)) {
      const before = latest.get(send.key)
      if (before !== undefined && send.returnedAt < before.calledAt) {
        found.add(
          'order',
          `"${id}" was sent before "${before.id}", of the same key, and came after`,
        )
      }
      if (before === undefined || send.calledAt > before.calledAt) latest.set(send.key, send)
    }
    arrived.add(id)
  }
  if (drained) {
    for (const { id, outcome } of sends) {
      if (outcome === 'sent' && !arrived.has(id))
        found.add('lost', `"${id}" was sent and never came`)
    }
  }
  return found.report(sends.length > 0)
}
