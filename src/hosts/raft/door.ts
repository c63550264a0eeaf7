/**
 * Who comes in. A stranger is refused with a reason before he costs anything; a member is heard: its
 * messages go to the host, its snapshots to whoever receives them.
 */
import type { MemberId } from '../../protocols/raft/entry.ts'
import type { Message } from '../../protocols/raft/message.ts'
import type { ByteStream, Listener } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { type Channel, channel } from './channel.ts'
import type { Self } from './dial.ts'
import { decodeMessages } from './message-codec.ts'
import { PeerError, type PeerRefusal } from './peer-error.ts'
import {
  decodeHello,
  encodeNumber,
  encodeRefusal,
  encodeWelcome,
  frameBytesMax,
  frameKinds,
  greetingBytesMax,
  type Hello,
} from './wire.ts'

export interface DoorOptions {
  readonly self: Self
  readonly listen: string
  /** A member that says nothing for so long is gone; members ping each other more often. */
  readonly silenceMs: number
  isRetired(peer: MemberId): boolean
  /** A member was here, and this is where it is reached. */
  met(peer: MemberId, address: string): void
  receive(messages: readonly Message[]): void
  /** Takes over a channel on which a snapshot will come. */
  snapshot(peer: MemberId, open: Channel): void
  turnedAway(remote: string, error: PeerError): void
}

export interface Door {
  readonly address: string
  close(): Promise<void>
}

/** Streams at a time, of members and strangers; of each member one for its messages counts. */
const streamsMax = 1_024

export async function door(runtime: Runtime, options: DoorOptions): Promise<Door> {
  const { self } = options
  const all = new Set<Channel>()
  const logs = new Map<MemberId, Channel>()
  let streams = 0
  let closed = false

  function enter(raw: ByteStream): void {
    if (closed || streams >= streamsMax) {
      raw.destroy()
      return
    }
    streams += 1
    runtime.tasks.spawn('raft-door', async () => {
      try {
        await admit(await self.seal.accept(raw))
      } catch (error) {
        options.turnedAway(raw.remote, strange(raw.remote, error))
      } finally {
        streams -= 1
      }
    })
  }

  /** Resolves when the channel is over. */
  async function admit(stream: ByteStream): Promise<void> {
    const { open, hello } = await greeting(runtime, stream, self.greetingMs)
    all.add(open)
    const over = new Promise<void>((resolve) => {
      // Until it is decided, nothing may be said.
      open.listen({
        frame: () => open.close(new PeerError('malformed', 'words before the welcome')),
        closed: () => resolve(),
      })
      void decide(hello).then((reason) => {
        if (reason === undefined) welcome(open, hello, resolve)
        else {
          options.turnedAway(open.remote, new PeerError(reason, `"${hello.from}": ${reason}`))
          open.send(frameKinds.refusal, encodeRefusal(reason))
          open.end()
          resolve()
        }
      })
    })
    await over
    all.delete(open)
  }

  async function decide(hello: Hello): Promise<PeerRefusal | undefined> {
    const { versions } = self
    if (hello.clusterId !== self.clusterId) return 'cluster'
    if (hello.to !== self.id || hello.from === self.id) return 'member'
    if (hello.max < versions.min || hello.min > versions.max) return 'version'
    if (options.isRetired(hello.from)) return 'retired'
    try {
      if (!(await self.approve(hello.from, hello.diskId))) return 'disk'
    } catch {
      // The disk cannot keep its name just now: nobody new comes in until it can.
      return 'busy'
    }
    return closed ? 'closed' : undefined
  }

  function welcome(open: Channel, hello: Hello, over: () => void): void {
    const version = Math.min(hello.max, self.versions.max)
    open.allow(frameBytesMax)
    open.send(frameKinds.welcome, encodeWelcome({ version, diskId: self.diskId }))
    options.met(hello.from, hello.address)
    if (hello.purpose === 'log') hear(open, hello.from, over)
    else {
      options.snapshot(hello.from, open)
      over()
    }
  }

  function hear(open: Channel, peer: MemberId, over: () => void): void {
    // The newest stream counts: an older one is a leftover that this side has not seen break.
    logs.get(peer)?.close(new PeerError('closed', `"${peer}" dialled again`))
    logs.set(peer, open)
    let heardMs = runtime.clock.monotonicMs()
    const watch = (): void => {
      const silentMs = runtime.clock.monotonicMs() - heardMs
      if (silentMs >= options.silenceMs) open.close(new PeerError('silent', `"${peer}" is silent`))
      else timer = runtime.timers.schedule(options.silenceMs - silentMs, watch)
    }
    let timer = runtime.timers.schedule(options.silenceMs, watch)
    open.listen({
      frame(kind, body) {
        heardMs = runtime.clock.monotonicMs()
        if (kind === frameKinds.messages) {
          options.receive(decodeMessages(body, peer, self.id))
        } else if (kind === frameKinds.ping) open.send(frameKinds.pong, encodeNumber(0))
        else throw new PeerError('malformed', `frame of kind ${kind}`)
      },
      closed() {
        timer.cancel()
        if (logs.get(peer) === open) logs.delete(peer)
        over()
      },
    })
  }

  const listener: Listener = await runtime.network.listen(options.listen, enter)
  return {
    address: listener.address,
    async close() {
      closed = true
      await listener.close()
      for (const open of [...all]) open.close(new PeerError('closed', 'this member is closing'))
    },
  }
}

function greeting(
  { timers }: Runtime,
  stream: ByteStream,
  greetingMs: number,
): Promise<{ readonly open: Channel; readonly hello: Hello }> {
  return new Promise((resolve, reject) => {
    const timer = timers.schedule(greetingMs, () => {
      open.close(new PeerError('silent', `${stream.remote} said nothing`))
    })
    const open = channel(stream, greetingBytesMax, {
      frame(kind, body) {
        if (kind !== frameKinds.hello) throw new PeerError('malformed', 'no hello')
        const hello = decodeHello(body)
        timer.cancel()
        resolve({ open, hello })
      },
      closed(error) {
        timer.cancel()
        reject(error ?? new PeerError('silent', `${stream.remote} hung up`))
      },
    })
  })
}

function strange(remote: string, error: unknown): PeerError {
  if (error instanceof PeerError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new PeerError('malformed', `${remote}: ${text}`, error)
}
