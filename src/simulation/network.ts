/**
 * The network of a world: hosts are machines, `listen` and `bind` claim ports of the own machine,
 * `connect` finds a listener if the link is whole in both directions. `localhost` and `0.0.0.0` mean
 * the own machine; whether a listener is open to others is not modelled.
 */
import {
  CancelledError,
  ConfigurationError,
  InvalidArgumentError,
  UnavailableError,
} from '../errors.ts'
import type { ByteStream, ConnectOptions, Datagram, Network } from '../runtime/network.ts'
import { type Draws, drawsOf, hashBytes } from './chance.ts'
import type { Core } from './core.ts'
import { type Incarnation, never } from './incarnation.ts'
import { type Streams, streams } from './stream.ts'
import { streamEnd } from './stream-end.ts'
import { streamOf } from './weather.ts'

export interface Fabric {
  network(owner: Incarnation, host: string): Network
  readonly streams: Streams
}

interface Listening {
  readonly owner: Incarnation
  readonly accept: (stream: ByteStream) => void
}
interface Bound {
  readonly owner: Incarnation
  readonly receive: (datagram: Datagram) => void
}

/** From a socket to an address, as its datagrams go: worked out once, for they are many. */
interface Way {
  readonly owner: Incarnation
  readonly from: string
  /** Machines. */
  readonly source: string
  readonly host: string
  /** `host:port` */
  readonly target: string
  /** For the trace. */
  readonly kind: string
  readonly draws: Draws
}

const datagramBytesMax = 65_507
/** So many ways are remembered per socket. */
const waysMax = 10_000
const ownNames: ReadonlySet<string> = new Set(['', '0.0.0.0', '127.0.0.1', 'localhost', '::1'])

export function fabric(core: Core, isUp: (host: string) => boolean): Fabric {
  const { scheduler, weather, nature, recorder } = core
  const all = streams(core, isUp)
  const listeners = new Map<string, Listening>()
  const sockets = new Map<string, Bound>()
  let freePort = 40_000

  function claim(taken: ReadonlyMap<string, unknown>, host: string, address: string): string {
    const wanted = split(address)
    if (wanted.host !== host && !ownNames.has(wanted.host)) {
      throw new ConfigurationError(`${address} is not an address of machine ${host}`)
    }
    const claimed = `${host}:${wanted.port === 0 ? freePort++ : wanted.port}`
    if (taken.has(claimed)) throw new ConfigurationError(`${claimed} is taken`)
    return claimed
  }

  /** Keeps `entry` under `address` until closed or the owner dies. */
  function keep<Entry>(
    entries: Map<string, Entry>,
    owner: Incarnation,
    address: string,
    entry: Entry,
  ): { readonly address: string; close(): Promise<void> } {
    entries.set(address, entry)
    const free = (): void => {
      if (entries.get(address) === entry) entries.delete(address)
    }
    owner.endings.add(free)
    return {
      address,
      async close() {
        owner.endings.delete(free)
        free()
      },
    }
  }

  function connect(
    owner: Incarnation,
    source: string,
    address: string,
    options: ConnectOptions,
    word: number,
  ): Promise<ByteStream> {
    const wanted = split(address)
    const host = ownNames.has(wanted.host) ? source : wanted.host
    const target = `${host}:${wanted.port}`
    const { signal, timeoutMs } = options
    const draws = drawsOf(word)
    return new Promise((resolve, reject) => {
      let open = true
      const settle = (answer: () => void): void => {
        if (!open) return
        open = false
        scheduler.cancel(timer)
        signal?.removeEventListener('abort', aborted)
        answer()
      }
      const timer = scheduler.after(owner, timeoutMs * 1_000, 'connect timeout', () =>
        settle(() => reject(new UnavailableError(`${target} did not answer in ${timeoutMs} ms`))),
      )
      const aborted = (): void =>
        settle(() => reject(new CancelledError('connect was aborted', { cause: signal?.reason })))
      if (signal?.aborted) return aborted()
      signal?.addEventListener('abort', aborted, { once: true })

      const travelUs = weather.travelUs(source, host, draws)
      const said = { kind: 'connect', source: owner.name, target: host, sizeBytes: 0 } as const
      const record = recorder?.message(said)
      scheduler.after(nature, travelUs, 'connect', () => {
        if (weather.isCut(source, host) || weather.isCut(host, source) || !isUp(host)) {
          if (record !== undefined) record.dropped = isUp(host) ? 'cut' : 'nobody there'
          return
        }
        if (!owner.alive) return // its kernel refuses the answer, so the server never accepts
        const backUs = weather.travelUs(host, source, draws)
        const listening = listeners.get(target)
        if (listening === undefined) {
          if (record !== undefined) record.dropped = 'nobody there'
          const refused = (): void => reject(new UnavailableError(`${target} refused to connect`))
          scheduler.after(owner, backUs, 'refused', () => settle(refused))
          return
        }
        recorder?.arrived(record, listening.owner.name)
        const near = streamEnd(owner, source, target, draws)
        const far = streamEnd(
          listening.owner,
          host,
          `${source}:${freePort++}`,
          drawsOf(draws.word()),
        )
        all.join(near, far)
        scheduler.after(owner, backUs, 'connected', () => {
          if (open) settle(() => resolve(all.stream(near)))
          else all.stream(near).destroy()
        })
        scheduler.after(listening.owner, 2 * backUs, 'accepted', () =>
          listening.accept(all.stream(far)),
        )
      })
    })
  }

  function send({ owner, from, source, host, target, kind, draws: words }: Way, bytes: Uint8Array) {
    const draws = drawsOf(words.word())
    const copies = draws.happens(weather.datagramCopies) ? 2 : 1
    const copy = bytes.slice()
    for (let sent = 0; sent < copies; sent++) {
      const lost = draws.happens(weather.datagramLoss)
      let travelUs = weather.travelUs(source, host, draws)
      if (weather.datagramDisorder > 0 && draws.happens(weather.datagramDisorder)) {
        travelUs += draws.below(500_000)
      }
      const sizeBytes = bytes.length
      const said = { kind: 'datagram', source: owner.name, target: host, sizeBytes } as const
      const record = recorder?.message(said)
      if (lost) {
        if (record !== undefined) record.dropped = 'lost'
        continue
      }
      const arrive = (): void => {
        const bound = sockets.get(target)
        if (bound === undefined || weather.isCut(source, host) || !isUp(host)) {
          if (record !== undefined) record.dropped = bound === undefined ? 'nobody there' : 'cut'
          return
        }
        recorder?.arrived(record, bound.owner.name)
        scheduler.after(bound.owner, 1, 'received', () =>
          bound.receive({ bytes: copies === 1 ? copy : copy.slice(), source: from }),
        )
      }
      scheduler.after(nature, travelUs, kind, arrive, hashBytes(copy))
    }
  }

  function network(owner: Incarnation, host: string): Network {
    const links = new Map<string, Draws>()
    const link = (target: string): Draws => {
      let draws = links.get(target)
      if (draws === undefined) {
        draws = streamOf(owner.key, target)
        links.set(target, draws)
      }
      return draws
    }
    const wayTo = (address: string, from: string): Way => {
      const { host: named, port } = split(address)
      const to = ownNames.has(named) ? host : named
      const target = `${to}:${port}`
      const kind = `datagram ${host}>${to}`
      return { owner, from, source: host, host: to, target, kind, draws: link(target) }
    }
    return {
      async listen(address, accept) {
        if (!owner.alive) return never()
        const claimed = claim(listeners, host, address)
        return keep(listeners, owner, claimed, { owner, accept })
      },
      async connect(address, options) {
        if (!owner.alive) return never()
        return connect(owner, host, address, options, link(`stream to ${address}`).word())
      },
      async bind(address, receive) {
        if (!owner.alive) return never()
        const claimed = claim(sockets, host, address)
        let open = true
        const kept = keep(sockets, owner, claimed, { owner, receive })
        const ways = new Map<string, Way>()
        return {
          address: claimed,
          send(target, bytes) {
            if (bytes.length > datagramBytesMax) {
              throw new InvalidArgumentError(
                `datagram is ${bytes.length} bytes; expected at most ${datagramBytesMax}`,
              )
            }
            let way = ways.get(target)
            if (way === undefined) {
              way = wayTo(target, claimed)
              if (ways.size < waysMax) ways.set(target, way)
            }
            if (open && owner.alive) send(way, bytes)
          },
          close() {
            open = false
            return kept.close()
          },
        }
      },
    }
  }

  return { network, streams: all }
}

function split(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  const port = Number(address.slice(colon + 1))
  if (colon < 0 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new InvalidArgumentError(`address is "${address}"; expected host:port`)
  }
  return { host: address.slice(0, colon), port }
}
