/**
 * A simulated connection: two ends, and between them a wire that keeps the order but not the
 * boundaries of what was written. Bytes are copied when sent. A cut link stalls the stream; if it
 * stays cut, the sender gives up after a while and the other side learns nothing (half-open), until it
 * sends something itself and is told by a reset.
 */
import { UnavailableError } from '../errors.ts'
import { type ByteStream, streamHighWaterBytes } from '../runtime/network.ts'
import type { Core } from './core.ts'
import type { Death } from './incarnation.ts'
import { delivery } from './stream-delivery.ts'
import type { StreamEnd } from './stream-end.ts'
import { wire } from './stream-wire.ts'

export interface Streams {
  join(client: StreamEnd, server: StreamEnd): void
  stream(end: StreamEnd): ByteStream
  /** Breaks connections, as a middlebox that forgot them would. @returns how many. */
  breakSome(happens: () => boolean): number
  /** Leaves connections half-open: nobody is told, and nothing arrives any more. @returns how many. */
  silenceSome(happens: () => boolean): number
}

export function streams(core: Core, isUp: (host: string) => boolean): Streams {
  const { weather } = core
  const delivered = delivery(core.scheduler)
  const { open, flush, fail, retire } = delivered
  const { send, reset } = wire(core, isUp, delivered)

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

  function died(end: StreamEnd, death: Death): void {
    if (death === 'power-cut') retire(end)
    else if (death === 'exit') {
      finish(end)
      retire(end)
    } else drop(end)
  }

  return {
    join(client, server) {
      client.peer = server
      server.peer = client
      for (const end of [client, server]) {
        end.kind = `wire ${end.host}>${end.peer?.host}`
        if (!end.owner.alive) continue
        open.add(end)
        end.ending = (death) => died(end, death)
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
    silenceSome(happens) {
      let silenced = 0
      for (const end of open) {
        const { peer } = end
        // A connection within one machine meets no middlebox.
        if (peer === undefined || end.silenced || peer.host === end.host || !happens()) continue
        end.silenced = true
        peer.silenced = true
        silenced++
      }
      return silenced
    },
  }
}
