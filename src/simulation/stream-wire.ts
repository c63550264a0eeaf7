/**
 * Between two kernels: segments travel in order, stall where the link is cut, and are sent again once
 * it is whole. Whoever hears nothing for too long gives up; whoever sends to the dead is told.
 */
import { UnavailableError } from '../errors.ts'
import { hashBytes } from './chance.ts'
import type { Core } from './core.ts'
import type { Message } from './recorder.ts'
import type { Delivery } from './stream-delivery.ts'
import type { Segment, StreamEnd } from './stream-end.ts'

export interface Wire {
  send(from: StreamEnd, to: StreamEnd, segment: Segment): void
  /** Tells `target` that its connection is gone, if the message gets through. */
  reset(source: StreamEnd, target: StreamEnd): void
}

/** How long a sender hears nothing before it gives up: a draw between these, in microseconds. */
const giveUpUs = { min: 15_000_000, max: 45_000_000 } as const
const retransmitUs = 1_000_000

export function wire(core: Core, isUp: (host: string) => boolean, delivered: Delivery): Wire {
  const { scheduler, weather, nature, recorder } = core
  const { troubled, flush, fail } = delivered

  const reachable = (source: StreamEnd, target: StreamEnd): boolean =>
    isUp(target.host) && !weather.isCut(source.host, target.host)

  function onWire(from: StreamEnd, delayUs: number, kind: string, run: () => void, digest = 0) {
    scheduler.after(nature, delayUs, kind, run, digest)
    from.lastArrivalUs = scheduler.nowUs() + delayUs
  }

  function send(from: StreamEnd, to: StreamEnd, segment: Segment): void {
    const travelUs = weather.travelUs(from.host, to.host, from.draws)
    const delayUs = Math.max(travelUs, from.lastArrivalUs + 1 - scheduler.nowUs())
    const digest = segment === 'end' ? 1 : hashBytes(segment)
    const record = recorder?.message({
      kind: 'stream',
      source: from.owner.name,
      target: to.owner.name,
      sizeBytes: segment === 'end' ? 0 : segment.length,
    })
    onWire(from, delayUs, from.kind, () => arrive(from, to, segment, record), digest)
  }

  function stallNow(from: StreamEnd): void {
    if (from.stall !== 0 || from.over) return
    const stall = ++from.stalls
    from.stall = stall
    troubled.add(from)
    const waitUs = giveUpUs.min + from.draws.below(giveUpUs.max - giveUpUs.min)
    scheduler.after(nature, waitUs, 'give up', () => {
      if (from.stall === stall) fail(from, new UnavailableError(`${from.remote} does not answer`))
    })
  }

  function arrive(from: StreamEnd, to: StreamEnd, segment: Segment, record?: Message): void {
    if (from.stalled.length > 0 || from.silenced || !reachable(from, to)) {
      from.stalled.push(segment)
      if (record !== undefined) record.dropped = 'stalled'
      stallNow(from)
      return
    }
    if (to.over || !to.owner.alive) {
      if (record !== undefined) record.dropped = 'nobody there'
      reset(to, from)
      return
    }
    recorder?.arrived(record, to.owner.name)
    to.inbox.push(segment)
    flush(to)
    // The data came, but its acknowledgement cannot: the sender will give up all the same.
    if (!reachable(to, from)) stallNow(from)
  }

  function reset(source: StreamEnd, target: StreamEnd): void {
    const delayUs = weather.travelUs(source.host, target.host, source.draws)
    const said = { kind: 'reset', source: source.owner.name, target: target.owner.name } as const
    const record = recorder?.message({ ...said, sizeBytes: 0 })
    scheduler.after(nature, delayUs, 'reset', () => {
      if (source.silenced || !reachable(source, target)) {
        if (record !== undefined) record.dropped = 'cut'
        return
      }
      recorder?.arrived(record, target.owner.name)
      fail(target, new UnavailableError(`the connection to ${target.remote} was reset`))
    })
  }

  /** Links were mended: what stalled is sent again. */
  function goOn(): void {
    for (const end of [...troubled]) {
      const { peer } = end
      if (peer === undefined || end.silenced) continue
      if (!reachable(end, peer) || !reachable(peer, end)) continue
      const waiting = end.stalled
      end.stalled = []
      end.stall = 0
      troubled.delete(end)
      end.lastArrivalUs = scheduler.nowUs() + end.draws.below(retransmitUs)
      for (const segment of waiting) send(end, peer, segment)
    }
  }
  weather.onMended.add(goOn)

  return { send, reset }
}
