/**
 * From the kernel to the process: what arrived is handed over one piece per event, in order, and the
 * end or the failure comes last.
 */
import { streamHighWaterBytes } from '../runtime/network.ts'
import type { Scheduler } from './scheduler.ts'
import type { StreamEnd } from './stream-end.ts'

export interface Delivery {
  /** Ends that are in use. */
  readonly open: Set<StreamEnd>
  /** Ends that wait for a cut link. */
  readonly troubled: Set<StreamEnd>
  /** Hands over what can be handed over. */
  flush(end: StreamEnd): void
  /** Breaks this end: what was not handed over is lost. */
  fail(end: StreamEnd, failure: Error): void
  /** This end sends and takes nothing more. */
  retire(end: StreamEnd): void
}

export function delivery(scheduler: Scheduler): Delivery {
  const open = new Set<StreamEnd>()
  const troubled = new Set<StreamEnd>()

  function wake(end: StreamEnd): void {
    for (const waiter of end.waiters.splice(0)) scheduler.after(end.owner, 1, 'drained', waiter)
  }

  function retire(end: StreamEnd): void {
    end.over = true
    end.stall = 0
    end.stalled = []
    troubled.delete(end)
    open.delete(end)
    end.owner.endings.delete(end.ending)
    wake(end)
  }

  function fail(end: StreamEnd, failure: Error): void {
    if (end.over) return
    retire(end)
    end.inbox.length = 0
    end.failure = failure
    flush(end)
  }

  /** Hands what arrived to the process, one piece per event. */
  function flush(end: StreamEnd): void {
    const something = end.failure !== undefined || (end.reading && end.inbox.length > 0)
    if (end.flushing || !something || end.receiver === undefined) return
    end.flushing = true
    scheduler.after(end.owner, 1 + (end.draws.word() & 15), 'stream', () => {
      end.flushing = false
      handOver(end)
      flush(end)
    })
  }

  function handOver(end: StreamEnd): void {
    const { receiver, failure } = end
    if (receiver === undefined) return
    if (failure !== undefined) {
      end.failure = undefined
      end.receiver = undefined
      receiver.failed(failure)
      return
    }
    const segment = end.reading ? end.inbox.shift() : undefined
    if (segment === undefined) return
    if (segment === 'end') {
      end.gotEnd = true
      if (end.sentEnd) retire(end)
      end.receiver = undefined
      receiver.ended()
      return
    }
    if (end.peer !== undefined) taken(end.peer, segment.length)
    receiver.data(segment)
  }

  function taken(sender: StreamEnd, bytes: number): void {
    sender.bufferedBytes -= bytes
    if (sender.waiters.length > 0 && sender.bufferedBytes <= streamHighWaterBytes) wake(sender)
  }

  return { open, troubled, flush, fail, retire }
}
