/**
 * What the clients saw of time. A process does one thing after another; and a transaction that had
 * returned before another was called came first, if the database promises real time.
 *
 * The real-time order has as many pairs as the square of the history. It is kept as a chain of hubs, one
 * for each moment at which calls follow returns: who has returned leads into the chain, who is called is
 * led to by the latest hub. Two edges a transaction, whatever the concurrency.
 */
import { type GraphBuilder, processOrder, realtimeOrder, through } from './graph.ts'
import type { Transaction } from './transaction.ts'

/** Transactions that may have taken effect. */
function possible(history: readonly Transaction[]): readonly number[] {
  return [...history.keys()].filter((index) => history[index]?.status !== 'aborted')
}

/**
 * Each committed transaction comes before what its process did next, up to and including its next
 * committed one. What follows a transaction of unknown end is not ordered after it: it may still happen.
 *
 * @returns what is wrong, if a process called a transaction before its last one had returned.
 */
export function linkProcessOrder(
  history: readonly Transaction[],
  builder: GraphBuilder,
): string | undefined {
  const last = new Map<number | string, number>()
  const byCall = possible(history).toSorted((left, right) => {
    return (history[left]?.calledAt ?? 0) - (history[right]?.calledAt ?? 0) || left - right
  })
  for (const index of byCall) {
    const transaction = history[index]
    if (transaction === undefined) continue
    const before = last.get(transaction.process)
    if (before !== undefined) {
      if ((history[before]?.returnedAt ?? 0) > transaction.calledAt) {
        return `process ${transaction.process} called T${index} before T${before} had returned`
      }
      builder.link(before, index, processOrder)
    }
    if (transaction.status === 'committed') last.set(transaction.process, index)
  }
  return undefined
}

/** Links what had returned with what was called strictly later. */
export function linkRealtimeOrder(history: readonly Transaction[], builder: GraphBuilder): void {
  const indices = possible(history)
  const at = (index: number, side: 'calledAt' | 'returnedAt'): number => history[index]?.[side] ?? 0
  const calls = indices.toSorted((left, right) => at(left, 'calledAt') - at(right, 'calledAt'))
  const returns = indices
    .filter((index) => history[index]?.status === 'committed')
    .toSorted((left, right) => at(left, 'returnedAt') - at(right, 'returnedAt'))
  let hub: number | undefined
  let next = 0
  for (const call of calls) {
    const first = next
    while (next < returns.length && at(returns[next] ?? 0, 'returnedAt') < at(call, 'calledAt')) {
      next += 1
    }
    if (next > first) {
      const later = builder.hub()
      if (hub !== undefined) builder.link(hub, later, through)
      for (const done of returns.slice(first, next)) builder.link(done, later, realtimeOrder)
      hub = later
    }
    if (hub !== undefined) builder.link(hub, call, through)
  }
}
