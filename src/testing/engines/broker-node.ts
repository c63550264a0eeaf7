/**
 * What the leading node of a broker does: it hands out messages on channels, and takes back what was
 * handed out on a channel that is gone. Who has what is in its memory only, so a new leader hands out
 * everything again that was not settled.
 */
import { type Bells, bells as newBells } from '../../drivers/cluster/link/hints.ts'
import type { LinkTeller } from '../../drivers/cluster/link/link-server.ts'
import {
  requireClaim,
  requireIds,
  requireLease,
  requireLimits,
  requireMessages,
  requireQueue,
  requireReceipts,
  requireSettlements,
} from '../../drivers/embedded/work-arguments.ts'
import { CapabilityMissingError, InvalidArgumentError, UnavailableError } from '../../errors.ts'
import { requireInteger } from '../../ports/arguments.ts'
import { leaseDriftMargin } from '../../ports/lease-store.ts'
import type { ClaimRequest, QueueLimits, Settlement, WorkMessage } from '../../ports/work-store.ts'
import { type BrokerFlaw, brokerFlights } from './broker-flights.ts'
import { type BrokerQueue, brokerQueue } from './broker-queue.ts'
import type { Leader, LedService } from './ensemble.ts'
import type { ServedDelivery } from './remote-work.ts'

export interface BrokerNodeOptions {
  /** What a majority of the nodes keeps of this namespace. */
  readonly queues: Map<string, BrokerQueue>
  /** Deliveries that a channel may have in hand at once. */
  readonly prefetch: number
  /** A channel that was silent for this long is gone. */
  readonly heartbeatMs: number
  readonly flaw?: BrokerFlaw
}

interface Channel {
  readonly teller: LinkTeller
  heardMs: number
}

/** How long the planted bug takes from its answer to the deed. */
const tooEarlyMs = 400

export function brokerNode(leader: Leader, options: BrokerNodeOptions): LedService {
  const { queues, prefetch, heartbeatMs, flaw } = options
  const { nowMs, commit } = leader
  const bells: Bells = newBells()
  const channels = new Map<string, Channel>()
  let tickedMs = nowMs()

  const flights = brokerFlights(leader, { queues, bells, ...(flaw === undefined ? {} : { flaw }) })
  const { isOutOf } = flights

  function find(name: string): BrokerQueue {
    requireQueue(name)
    const queue = queues.get(name)
    if (queue === undefined) throw new InvalidArgumentError(`queue "${name}" is not declared`)
    return queue
  }

  function settleOne(queue: string, settlement: Settlement): 'settled' | 'lost' {
    const row = flights.land(queue, settlement.receipt)
    if (row === undefined) return 'lost'
    const kept = find(queue)
    if (settlement.outcome === 'done') kept.end(row, nowMs())
    else if (settlement.outcome === 'dead') kept.end(row, nowMs(), settlement.reason)
    else {
      if (settlement.counts === false) row.attempts -= 1
      kept.back(row, nowMs(), settlement.delayMs)
    }
    return 'settled'
  }

  function settleEarly(queue: string, settlements: readonly Settlement[]) {
    const answers = settlements.map(({ receipt }) => flights.has(queue, receipt))
    leader.runtime.timers.schedule(tooEarlyMs, () => {
      if (leader.leads()) for (const one of settlements) settleOne(queue, one)
    })
    return answers.map((there) => (there ? 'settled' : 'lost'))
  }

  function claim(name: string, request: ClaimRequest, channel: string): readonly ServedDelivery[] {
    flights.takeBackOverdue()
    const limit = Math.min(request.limit, prefetch - flights.inHandOf(channel))
    if (limit <= 0) return []
    const rows = find(name).claim({ ...request, limit }, nowMs(), isOutOf(name))
    return rows.map((row) => {
      const receipt = flights.handOut(name, row, { channel, leaseMs: request.leaseMs })
      const { message, attempts: attempt } = row
      const validForMs = request.leaseMs * (1 - leaseDriftMargin)
      return { message, receipt, attempt, validForMs, waitedMs: nowMs() - row.dueMs }
    })
  }

  function openChannel(teller: LinkTeller): () => void {
    const id = flights.nextId()
    channels.set(id, { teller, heardMs: nowMs() })
    teller.news(id)
    return () => closeChannel(id)
  }

  function closeChannel(id: string): void {
    if (channels.delete(id)) flights.takeBackOf(id)
  }

  const calls = {
    'work.declare': async (queue: string, limits: QueueLimits) => {
      requireQueue(queue)
      requireLimits(limits)
      await commit(() => {
        const known = queues.get(queue)
        if (known === undefined) queues.set(queue, brokerQueue(limits))
        else known.limit(limits)
      })
    },
    'work.publish': async (queue: string, messages: readonly WorkMessage[]) => {
      const kept = find(queue)
      requireMessages(messages)
      requireNoKeys(messages)
      return commit(() => {
        const answer = kept.publish(messages, nowMs(), isOutOf(queue))
        bells.ring(queue)
        return answer
      })
    },
    'work.claim': async (queue: string, request: ClaimRequest, channel: string) => {
      find(queue)
      requireClaim(request)
      return commit(() => {
        if (channels.has(channel)) return claim(queue, request, channel)
        throw new UnavailableError('the channel is gone')
      })
    },
    'work.heartbeat': async (id: string) => {
      const channel = leader.leads() ? channels.get(id) : undefined
      if (channel !== undefined) channel.heardMs = nowMs()
      return channel !== undefined
    },
    'work.settle': async (queue: string, settlements: readonly Settlement[]) => {
      find(queue)
      requireSettlements(settlements)
      if (flaw === 'settles-early') return settleEarly(queue, settlements)
      return commit(() => {
        const answers = settlements.map((settlement) => settleOne(queue, settlement))
        bells.ring(queue)
        return answers
      })
    },
    'work.extend': async (queue: string, receipts: readonly string[], leaseMs: number) => {
      find(queue)
      requireReceipts(receipts)
      requireLease(leaseMs)
      if (!leader.leads()) throw new UnavailableError('this node does not lead any more')
      return receipts.map((receipt) => flights.extend(queue, receipt, leaseMs))
    },
    'work.stats': async (queue: string) => {
      const kept = find(queue)
      return commit(() => {
        flights.takeBackOverdue()
        return kept.stats(nowMs(), isOutOf(queue))
      })
    },
    'work.deadLetters': async (
      queue: string,
      page: { readonly after?: string; readonly limit: number },
    ) => {
      const kept = find(queue)
      requireInteger('limit', page.limit, 1, 1_000)
      return commit(() => kept.letters(page))
    },
    'work.redrive': async (queue: string, ids: readonly string[]) => {
      const kept = find(queue)
      requireIds(ids)
      return commit(() => {
        const moved = kept.redrive(ids, nowMs())
        bells.ring(queue)
        return moved
      })
    },
  }

  // What an earlier leader had handed out, and to whom, nobody knows any more.
  if (leader.leads()) for (const queue of queues.values()) queue.allBack(nowMs())

  return {
    calls,
    sources: {
      'work.channel': openChannel,
      'work.watch': ({ news }, queue: string) => bells.listen(queue, () => news(0)),
    },
    tick() {
      const sinceMs = tickedMs
      tickedMs = nowMs()
      for (const [id, { teller, heardMs }] of [...channels]) {
        if (tickedMs - heardMs <= heartbeatMs) continue
        closeChannel(id)
        teller.over(new UnavailableError('the channel was silent for too long'))
      }
      flights.takeBackOverdue()
      for (const [name, queue] of queues) if (queue.becameDue(sinceMs, tickedMs)) bells.ring(name)
    },
  }
}

/** A broker that puts messages back anywhere cannot keep the order of a key, and does not pretend to. */
function requireNoKeys(messages: readonly WorkMessage[]): void {
  const keyed = messages.find(({ key }) => key !== undefined)
  if (keyed === undefined) return
  throw new CapabilityMissingError(
    `message "${keyed.id}" has a key; this broker keeps no order by key`,
  )
}
