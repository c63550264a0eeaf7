/**
 * Deliveries under way, in the memory of the leading node alone: who has what, until when, and on which
 * channel. What is taken back goes behind everything that waits, the last one handed out first.
 */
import type { Bells } from '../../drivers/cluster/link/hints.ts'
import type { BrokerQueue, IsOut, QueueRow } from './broker-queue.ts'
import type { Leader } from './ensemble.ts'

/** A planted bug, for the trials of the judge. */
export type BrokerFlaw = 'settles-early' | 'loses-redelivery'

export interface BrokerFlights {
  /** Unique over all terms. */
  nextId(): string
  isOutOf(queue: string): IsOut
  /** @returns the receipt. */
  handOut(
    queue: string,
    row: QueueRow,
    way: { readonly channel: string; readonly leaseMs: number },
  ): string
  has(queue: string, receipt: string): boolean
  /** Ends a delivery that still holds. */
  land(queue: string, receipt: string): QueueRow | undefined
  extend(queue: string, receipt: string, leaseMs: number): boolean
  inHandOf(channel: string): number
  takeBackOf(channel: string): void
  takeBackOverdue(): void
}

export interface BrokerFlightsOptions {
  readonly queues: ReadonlyMap<string, BrokerQueue>
  /** Rung under the name of a queue into which something was put back. */
  readonly bells: Bells
  readonly flaw?: BrokerFlaw
}

interface Flight {
  readonly row: QueueRow
  readonly channel: string
  endsMs: number
}

interface InFlight {
  readonly byReceipt: Map<string, Flight>
  readonly rows: Set<QueueRow>
}

export function brokerFlights(
  { term, nowMs, leads }: Leader,
  { queues, bells, flaw }: BrokerFlightsOptions,
): BrokerFlights {
  const byQueue = new Map<string, InFlight>()
  let numbers = 0

  function of(queue: string): InFlight {
    const known = byQueue.get(queue)
    if (known !== undefined) return known
    const made: InFlight = { byReceipt: new Map(), rows: new Set() }
    byQueue.set(queue, made)
    return made
  }

  function holding(queue: string, receipt: string): Flight | undefined {
    const flight = of(queue).byReceipt.get(receipt)
    return flight === undefined || flight.endsMs <= nowMs() ? undefined : flight
  }

  function takeBack(isOver: (flight: Flight) => boolean): void {
    // What one who led before still believes in is not his any more.
    if (!leads()) return
    for (const [name, { byReceipt, rows }] of byQueue) {
      const over = [...byReceipt].filter(([, flight]) => isOver(flight)).reverse()
      for (const [receipt, { row }] of over) {
        byReceipt.delete(receipt)
        rows.delete(row)
        if (flaw === 'loses-redelivery') queues.get(name)?.end(row, nowMs())
        else queues.get(name)?.back(row, nowMs())
      }
      if (over.length > 0) bells.ring(name)
    }
  }

  const nextId = (): string => `${term}.${++numbers}`

  return {
    nextId,
    isOutOf(queue) {
      const { rows } = of(queue)
      return (row) => rows.has(row)
    },
    handOut(queue, row, { channel, leaseMs }) {
      const receipt = nextId()
      of(queue).byReceipt.set(receipt, { row, channel, endsMs: nowMs() + leaseMs })
      of(queue).rows.add(row)
      return receipt
    },
    has: (queue, receipt) => holding(queue, receipt) !== undefined,
    land(queue, receipt) {
      const flight = holding(queue, receipt)
      if (flight === undefined) return undefined
      of(queue).byReceipt.delete(receipt)
      of(queue).rows.delete(flight.row)
      return flight.row
    },
    extend(queue, receipt, leaseMs) {
      const flight = holding(queue, receipt)
      if (flight === undefined) return false
      flight.endsMs = nowMs() + leaseMs
      return true
    },
    inHandOf: (channel) =>
      [...byQueue.values()]
        .flatMap(({ byReceipt }) => [...byReceipt.values()])
        .filter((flight) => flight.channel === channel).length,
    takeBackOf: (id) => takeBack(({ channel }) => channel === id),
    takeBackOverdue: () => takeBack(({ endsMs }) => endsMs <= nowMs()),
  }
}
