/**
 * All the roads of one member: a door for those who come in, a link to each that is spoken to, and where
 * each is to be found. Where a member said it is, last time it was here, counts before what the
 * configuration says: it may have moved.
 */
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import type { Message } from '../../protocols/raft/message.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Channel } from './channel.ts'
import { dial, type Self } from './dial.ts'
import { door } from './door.ts'
import { PeerError } from './peer-error.ts'
import { type PeerLink, peerLink } from './peer-link.ts'

export interface TransportOptions {
  readonly self: Self
  readonly listen: string
  /** Where others reach this member; `undefined`: where it listens. */
  readonly advertise: string | undefined
  /** Throws for an address that may not be dialled. */
  requireAddress(address: string): void
  readonly queueBytesMax: number
  /** How often a link is asked whether it lives; a silent one is given up after the second time. */
  readonly pulseMs: number
  receive(messages: readonly Message[]): void
  unreachable(peer: MemberId, error: Error): void
  connected(peer: MemberId): void
  snapshot(peer: MemberId, open: Channel): void
  turnedAway(remote: string, error: PeerError): void
}

export interface Transport {
  readonly address: string
  send(message: Message): void
  /** Who is a member, and where. */
  configure(configuration: Configuration): void
  /** A road of its own for a snapshot. Errors as for `dial`. */
  openSnapshot(peer: MemberId, signal: AbortSignal): Promise<Channel>
  /** Members that can be spoken to now. */
  connected(): readonly MemberId[]
  close(): Promise<void>
}

/** Addresses learnt from greetings of members that no configuration names yet. */
const strangersMax = 1_024

export async function transport(runtime: Runtime, options: TransportOptions): Promise<Transport> {
  const { self, pulseMs } = options
  const links = new Map<MemberId, PeerLink>()
  const met = new Map<MemberId, string>()
  let configured: Readonly<Record<MemberId, string>> = {}
  let retired: ReadonlySet<MemberId> = new Set()
  /** Removed members keep their road for a pulse or two, for the word that they are. */
  const leaving = new Set<MemberId>()
  let closed = false

  const entrance = await door(runtime, {
    self,
    listen: options.listen,
    silenceMs: 4 * pulseMs,
    isRetired: (peer) => retired.has(peer),
    met(peer, at) {
      if (met.size < strangersMax || met.has(peer)) met.set(peer, at)
      links.get(peer)?.found()
    },
    receive: options.receive,
    snapshot: options.snapshot,
    turnedAway: options.turnedAway,
  })
  const address = options.advertise ?? entrance.address

  function addressesOf(peer: MemberId): readonly string[] {
    const all = [met.get(peer), configured[peer]].filter((known) => known !== undefined)
    for (const one of all) options.requireAddress(one)
    return [...new Set(all)]
  }

  function linkTo(peer: MemberId): PeerLink {
    const known = links.get(peer)
    if (known !== undefined) return known
    const made = peerLink(runtime, {
      peer,
      self,
      addresses: () => addressesOf(peer),
      address: () => address,
      queueBytesMax: options.queueBytesMax,
      restMsMax: Math.max(100, pulseMs),
      unreachable: (error) => options.unreachable(peer, error),
      connected: () => options.connected(peer),
    })
    links.set(peer, made)
    return made
  }

  let beat = runtime.timers.schedule(pulseMs, pulse, { background: true })
  function pulse(): void {
    if (closed) return
    for (const [peer, link] of links) {
      if (!retired.has(peer)) link.pulse()
      else if (!leaving.has(peer)) leaving.add(peer)
      else {
        link.close()
        links.delete(peer)
      }
    }
    beat = runtime.timers.schedule(pulseMs, pulse, { background: true })
  }

  return {
    address,
    send(message) {
      if (!closed && message.to !== self.id) linkTo(message.to).send(message)
    },
    configure(configuration) {
      configured = configuration.addresses
      retired = new Set(configuration.retired)
      for (const peer of [...configuration.voters, ...configuration.learners]) {
        if (peer !== self.id && !closed) linkTo(peer).greet()
      }
    },
    async openSnapshot(peer, signal) {
      const [target] = addressesOf(peer)
      if (target === undefined) throw new PeerError('silent', `no address of "${peer}" is known`)
      return dial(runtime, self, { peer, target, address, purpose: 'snapshot', signal })
    },
    connected: () => [...links].filter(([, link]) => link.up).map(([peer]) => peer),
    async close() {
      closed = true
      beat.cancel()
      for (const link of links.values()) link.close()
      await entrance.close()
    },
  }
}
