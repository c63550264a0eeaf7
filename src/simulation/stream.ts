/**
 * A simulated connection: two ends, and between them a wire that keeps the order but not the
 * boundaries of what was written. Bytes are copied when sent. A cut link stalls the stream; if it
 * stays cut, the sender gives up after a while and the other side learns nothing (half-open), until it
 * sends something itself and is told by a reset.
 */
import { UnavailableError } from '../errors.ts'
import { type ByteStream, type StreamReceiver, streamHighWaterBytes } from '../runtime/network.ts'
import { type Draws, hashBytes } from './chance.ts'
import type { Core } from './core.ts'
import type { Death, Incarnation } from './incarnation.ts'

/** Bytes, or the word that no more will come. */
type Segment = Uint8Array | 'end'

export interface StreamEnd {
  readonly owner: Incarnation
  readonly host: string
  readonly remote: string
  readonly draws: Draws
  peer: StreamEnd | undefined
  /** For the trace: `wire a>b`. */
  kind: string
  receiver: StreamReceiver | undefined
  /** What arrived in the kernel and was not yet handed to the process. */
  readonly inbox: Segment[]
  failure: Error | undefined
  flushing: boolean
  reading: boolean
  /** Nothing more is sent or taken by this side. */
  over: boolean
  sentEnd: boolean
  gotEnd: boolean
  /** Bytes written that the peer has not taken. */
  bufferedBytes: number
  readonly waiters: (() => void)[]
  lastArrivalUs: number
  /** Sent into a cut link; sent again when it is whole. */
  stalled: Segment[]
  /** Which stall this is, so that an old give-up timer does not end a new one; 0 when there is none. */
  stall: number
  stalls: number
  ending: (death: Death) => void
}

export interface Wires {
  /** A fresh end; join two with `join`. */
  end(owner: Incarnation, host: string, remote: string, draws: Draws): StreamEnd
  join(client: StreamEnd, server: StreamEnd): void
  stream(end: StreamEnd): ByteStream
  /** Breaks the connection between two hosts, as a middlebox that forgot it would. */
  breakSome(happens: () => boolean): number
}

/** How long a sender hears nothing before it gives up: a draw between these, in microseconds. */
const giveUpUs = { min: 15_000_000, max: 45_000_000 } as const
const retransmitUs = 1_000_000

export function wires(core: Core, isUp: (host: string) => boolean): Wires {
  const { scheduler, weather, nature } = core
  const open = new Set<StreamEnd>()
  const troubled = new Set<StreamEnd>()

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
    onWire(from, delayUs, from.kind, () => arrive(from, to, segment), digest)
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

  function arrive(from: StreamEnd, to: StreamEnd, segment: Segment): void {
    if (from.stalled.length > 0 || !reachable(from, to)) {
      from.stalled.push(segment)
      stallNow(from)
      return
    }
    if (to.over || !to.owner.alive) {
      reset(to, from)
      return
    }
    to.inbox.push(segment)
    flush(to)
    // The data came, but its acknowledgement cannot: the sender will give up all the same.
    if (!reachable(to, from)) stallNow(from)
  }

  /** Tells `target` that its connection is gone, if the message gets through. */
  function reset(source: StreamEnd, target: StreamEnd): void {
    const delayUs = weather.travelUs(source.host, target.host, source.draws)
    scheduler.after(nature, delayUs, 'reset', () => {
      if (!reachable(source, target)) return
      fail(target, new UnavailableError(`the connection to ${target.remote} was reset`))
    })
  }

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

  function write(end: StreamEnd, bytes: Uint8Array): boolean {
    const { peer } = end
    if (end.over || end.sentEnd || peer === undefined || !end.owner.alive) return true
    end.bufferedBytes += bytes.length
    const copy = bytes.slice()
    // TCP keeps no boundaries: sometimes what was written at once arrives in two pieces.
    if (copy.length > 1 && end.draws.word() % 8 === 0) {
      const at = 1 + end.draws.below(copy.length - 1)
      send(end, peer, copy.slice(0, at))
      send(end, peer, copy.slice(at))
    } else if (copy.length > 0) send(end, peer, copy)
    return end.bufferedBytes <= streamHighWaterBytes
  }

  function finish(end: StreamEnd): void {
    if (end.over || end.sentEnd || end.peer === undefined) return
    end.sentEnd = true
    send(end, end.peer, 'end')
    if (end.gotEnd) retire(end)
  }

  function drop(end: StreamEnd): void {
    if (end.over || end.peer === undefined) return
    // The kernel says goodbye either politely or not: a good end may cut a message in half.
    const polite = weather.rough && !end.sentEnd && end.draws.happens(0.5)
    if (polite) send(end, end.peer, 'end')
    else reset(end, end.peer)
    retire(end)
    end.receiver = undefined
    end.inbox.length = 0
  }

  function goOn(): void {
    for (const end of [...troubled]) {
      const { peer } = end
      if (peer === undefined || !reachable(end, peer) || !reachable(peer, end)) continue
      const waiting = end.stalled
      end.stalled = []
      end.stall = 0
      troubled.delete(end)
      end.lastArrivalUs = scheduler.nowUs() + end.draws.below(retransmitUs)
      for (const segment of waiting) send(end, peer, segment)
    }
  }
  weather.onMended.add(goOn)

  function died(end: StreamEnd, death: Death): void {
    if (death === 'power-cut') retire(end)
    else if (death === 'exit') {
      finish(end)
      retire(end)
    } else drop(end)
  }

  return {
    end(owner, host, remote, draws) {
      const end: StreamEnd = {
        owner,
        host,
        remote,
        draws,
        peer: undefined,
        kind: 'wire',
        receiver: undefined,
        inbox: [],
        failure: undefined,
        flushing: false,
        reading: true,
        over: false,
        sentEnd: false,
        gotEnd: false,
        bufferedBytes: 0,
        waiters: [],
        lastArrivalUs: 0,
        stalled: [],
        stall: 0,
        stalls: 0,
        ending: (death) => died(end, death),
      }
      return end
    },
    join(client, server) {
      client.peer = server
      server.peer = client
      for (const end of [client, server]) {
        end.kind = `wire ${end.host}>${end.peer?.host}`
        if (!end.owner.alive) continue
        open.add(end)
        end.owner.endings.add(end.ending)
      }
    },
    stream: (end) => ({
      remote: end.remote,
      receive(receiver) {
        end.receiver = receiver
        flush(end)
      },
      write: (bytes) => write(end, bytes),
      drained: () =>
        new Promise((resolve) => {
          if (end.over || end.bufferedBytes <= streamHighWaterBytes) resolve()
          else end.waiters.push(resolve)
        }),
      pause(paused) {
        end.reading = !paused
        flush(end)
      },
      end: () => finish(end),
      destroy: () => drop(end),
    }),
    breakSome(happens) {
      let broken = 0
      for (const end of [...open]) {
        if (end.over || !happens()) continue
        fail(end, new UnavailableError(`the connection to ${end.remote} broke`))
        if (end.peer !== undefined && happens()) reset(end, end.peer)
        broken++
      }
      return broken
    },
  }
}
