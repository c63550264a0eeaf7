/**
 * The few moves that the cases of WorkStore are made of, so that a case reads as what it shows.
 */
import { check, checkEqual } from './check.ts'
import type { ConformanceBench, ConformanceCase } from './conformance.ts'
import type { Delivery, QueueLimits, Settlement, WorkMessage, WorkStore } from './work-store.ts'

export type WorkCase = ConformanceCase<WorkStore>

/** One queue of one case. */
export interface WorkBench {
  readonly queue: string
  readonly store: WorkStore
  publish(...messages: readonly WorkMessage[]): Promise<void>
  claim(limit?: number, options?: ClaimOptions): Promise<readonly Delivery[]>
  /** Claims exactly these, in this order. */
  expectClaim(ids: readonly string[], options?: ClaimOptions): Promise<readonly Delivery[]>
  /** Claims one that must be there. */
  take(options?: ClaimOptions): Promise<Delivery>
  settle(...settlements: readonly Settlement[]): Promise<readonly ('settled' | 'lost')[]>
}

export interface ClaimOptions {
  readonly store?: WorkStore
  /** Long enough by default to outlast any case. */
  readonly leaseMs?: number
  readonly kinds?: readonly string[]
}

export const kind = 'job.v1'

export const message = (id: string, more: Partial<WorkMessage> = {}): WorkMessage => ({
  id,
  body: `"${id}"`,
  kind,
  ...more,
})

/** A key where the driver keeps the order of keys, and none where it refuses them. */
export const keyWhere = ({ capabilities }: WorkStore, key: string): { readonly key?: string } =>
  capabilities.orderByKey === 'refused' ? {} : { key }

/** For cases that are about the order of keys. */
export const needsKeys = ({ capabilities }: WorkStore): string | undefined =>
  capabilities.orderByKey === 'refused' ? 'the driver keeps no order by key' : undefined

export const done = ({ receipt }: Delivery): Settlement => ({ receipt, outcome: 'done' })
export const retry = ({ receipt }: Delivery, delayMs = 0, counts = true): Settlement => ({
  receipt,
  outcome: 'retry',
  delayMs,
  reason: 'try again',
  counts,
})
export const dead = ({ receipt }: Delivery, reason = 'poison'): Settlement => ({
  receipt,
  outcome: 'dead',
  reason,
})

export const idsOf = (deliveries: readonly Delivery[]): readonly string[] =>
  deliveries.map((delivery) => delivery.message.id)

const limitsDefault: QueueLimits = { lengthMax: 1_000, overflow: 'reject', dedupMs: 60_000 }

/** Declares a queue for the case. */
export async function workBench(
  { store, unique }: ConformanceBench<WorkStore>,
  limits: Partial<QueueLimits> = {},
): Promise<WorkBench> {
  const queue = unique('queue')
  await store.declare(queue, { ...limitsDefault, ...limits })
  const claim = (limit = 100, options: ClaimOptions = {}): Promise<readonly Delivery[]> =>
    (options.store ?? store).claim(queue, {
      limit,
      leaseMs: options.leaseMs ?? 600_000,
      consumer: 'case',
      kinds: options.kinds ?? [kind],
    })
  return {
    queue,
    store,
    claim,
    async publish(...messages) {
      const answer = await store.publish(queue, messages)
      checkEqual(
        answer,
        messages.map(() => 'stored'),
        'publication',
      )
    },
    async expectClaim(ids, options) {
      const deliveries = await claim(100, options)
      checkEqual(idsOf(deliveries), ids, 'claimed messages')
      return deliveries
    },
    async take(options) {
      const [delivery] = await claim(1, options)
      check(delivery !== undefined, 'there is a message to claim')
      return delivery
    },
    settle: (...settlements) => store.settle(queue, settlements),
  }
}

/** Long enough for a lease of `shortLeaseMs` to run out, with room for a slow live engine. */
export const shortLeaseMs = 200
export const pastShortLeaseMs = 500
