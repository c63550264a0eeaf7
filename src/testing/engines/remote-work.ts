/** Work over a link: how long a delivery is good is counted from before the claim left. */

import { followHints } from '../../drivers/cluster/link/hints.ts'
import type { Link } from '../../drivers/cluster/link/link.ts'
import type { LinkService } from '../../drivers/cluster/link/link-server.ts'
import { requireText } from '../../ports/arguments.ts'
import type {
  DeadLetter,
  Delivery,
  QueueStats,
  WorkCapabilities,
  WorkStore,
} from '../../ports/work-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'

export interface ServedDelivery extends Omit<Delivery, 'validUntilMs'> {
  /** Until its end by the server's clock. */
  readonly validForMs: number
}

/** What a model of a work store does on the server's side. */
export interface ServedWork extends Omit<WorkStore, 'capabilities' | 'claim'> {
  claim(
    queue: string,
    request: Parameters<WorkStore['claim']>[1],
  ): Promise<readonly ServedDelivery[]>
}

export function workService(work: ServedWork): LinkService {
  return {
    calls: {
      'work.declare': work.declare,
      'work.publish': work.publish,
      'work.claim': work.claim,
      'work.settle': work.settle,
      'work.extend': work.extend,
      'work.stats': work.stats,
      'work.deadLetters': work.deadLetters,
      'work.redrive': work.redrive,
    },
    sources: {
      'work.watch': ({ news }, queue: string) => work.watch(queue, () => news(0)),
    },
  }
}

export function remoteWork(
  runtime: Runtime,
  link: Link,
  capabilities: WorkCapabilities,
): WorkStore {
  return {
    capabilities,
    async declare(queue, limits) {
      await link.call('work.declare', queue, limits)
    },
    publish: (queue, messages) =>
      link.call<readonly ('stored' | 'duplicate')[] | 'full'>('work.publish', queue, messages),
    async claim(queue, request) {
      const askedMs = runtime.clock.monotonicMs()
      const served = await link.call<readonly ServedDelivery[]>('work.claim', queue, request)
      return served.map(({ validForMs, ...delivery }) => ({
        ...delivery,
        validUntilMs: askedMs + validForMs,
      }))
    },
    settle: (queue, settlements) =>
      link.call<readonly ('settled' | 'lost')[]>('work.settle', queue, settlements),
    extend: (queue, receipts, leaseMs) =>
      link.call<readonly boolean[]>('work.extend', queue, receipts, leaseMs),
    watch(queue, wake) {
      requireText('queue', queue, 200)
      return followHints(runtime, link, 'work.watch', [queue], wake)
    },
    stats: (queue) => link.call<QueueStats>('work.stats', queue),
    deadLetters: (queue, page) => link.call<readonly DeadLetter[]>('work.deadLetters', queue, page),
    redrive: (queue, ids) => link.call<number>('work.redrive', queue, ids),
  }
}
