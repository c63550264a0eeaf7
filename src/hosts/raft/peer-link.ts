/**
 * The way to one member: messages leave over one stream, which is dialled when there is something to say
 * and again, with growing pauses, when it broke. Raft repeats what is lost, so nothing is kept for better
 * times: while there is no stream, or more waits than the limit, messages are dropped and Raft is told.
 */
import type { MemberId } from '../../protocols/raft/entry.ts'
import type { Message } from '../../protocols/raft/message.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Channel } from './channel.ts'
import { dial, type Self } from './dial.ts'
import { encodeMessages, roughSize } from './message-codec.ts'
import { PeerError } from './peer-error.ts'
import { encodeNumber, frameKinds } from './wire.ts'

export interface PeerLinkOptions {
  readonly peer: MemberId
  readonly self: Self
  /** Where the peer may be, the likeliest first. */
  addresses(): readonly string[]
  /** Where we are reached. */
  address(): string
  /** Bytes that may wait, at most. */
  readonly queueBytesMax: number
  /** The longest pause between two attempts. */
  readonly restMsMax: number
  /** What was on its way may be lost. */
  unreachable(error: Error): void
  connected(): void
}

export interface PeerLink {
  send(message: Message): void
  /**
   * Dials, though there is nothing to say: members who have met know each other's disks before one of them
   * can lose his.
   */
  greet(): void
  /** The peer was just here, so it can be reached again: no long rest any more. */
  found(): void
  /** To be called now and then: finds a stream over which nothing comes back. */
  pulse(): void
  readonly up: boolean
  close(): void
}

/** One frame of messages, at most; one larger message goes alone. */
const frameBytesAim = 1_048_576
const restMsMin = 20

export function peerLink(runtime: Runtime, options: PeerLinkOptions): PeerLink {
  const { peer, self, restMsMax } = options
  const ending = new AbortController()
  let state: 'idle' | 'dialling' | 'up' | 'resting' | 'closed' = 'idle'
  let open: Channel | undefined
  let queue: Message[] = []
  let queuedBytes = 0
  let scheduled = false
  let blocked = false
  let attempts = 0
  let pinged = false
  let everUp = false
  let rest: Timer | undefined

  function drop(error: Error): void {
    queue = []
    queuedBytes = 0
    options.unreachable(error)
  }

  function start(): void {
    state = 'dialling'
    runtime.tasks.spawn('raft-dial', async () => {
      const addresses = options.addresses()
      const target = addresses[attempts % Math.max(1, addresses.length)]
      try {
        if (target === undefined) throw new PeerError('silent', `no address of "${peer}" is known`)
        const [purpose, signal] = ['log', ending.signal] as const
        const call = { peer, target, address: options.address(), purpose, signal } as const
        started(await dial(runtime, self, call))
      } catch (error) {
        lost(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  function started(channel: Channel): void {
    state = 'up'
    everUp = true
    open = channel
    pinged = false
    blocked = false
    channel.listen({
      frame(kind) {
        if (kind !== frameKinds.pong) throw new PeerError('malformed', `frame of kind ${kind}`)
        pinged = false
        // Only an answer shows that the road is good; a stream that opens and dies is no success.
        attempts = 0
      },
      closed: (error) => lost(error ?? new PeerError('silent', `"${peer}" hung up`)),
    })
    options.connected()
    flush()
  }

  function lost(error: Error): void {
    if (state === 'closed') return
    open = undefined
    attempts += 1
    state = 'resting'
    const longest = Math.min(restMsMax, restMsMin * 2 ** Math.min(attempts, 20))
    const restMs = longest * (0.5 + runtime.random.fraction('raft-redial') / 2)
    rest = runtime.timers.schedule(restMs, () => {
      if (state === 'resting') state = 'idle'
    })
    drop(error)
  }

  /** A moment's rest stays: two members whose streams die at once must not call each other for ever. */
  function found(): void {
    if (state !== 'resting') return
    rest?.cancel()
    rest = runtime.timers.schedule(restMsMin, () => {
      if (state === 'resting') start()
    })
  }

  function flush(): void {
    scheduled = false
    while (open !== undefined && queue.length > 0 && !blocked) {
      let bytes = 0
      let count = 0
      for (const message of queue) {
        bytes += roughSize(message)
        if (count > 0 && bytes > frameBytesAim) break
        count += 1
      }
      const leaving = queue.splice(0, count)
      queuedBytes = queue.reduce((sum, message) => sum + roughSize(message), 0)
      if (open.send(frameKinds.messages, encodeMessages(leaving))) continue
      const waiting = open
      blocked = true
      void waiting.drained().then(() => {
        if (open !== waiting) return
        blocked = false
        flush()
      })
    }
  }

  function greet(): void {
    if (state === 'idle') start()
  }

  return {
    greet,
    found,
    get up() {
      return state === 'up'
    },
    send(message) {
      if (state === 'closed' || state === 'resting') return
      queue.push(message)
      queuedBytes += roughSize(message)
      if (queuedBytes > options.queueBytesMax) {
        return drop(new PeerError('busy', `too much waits for "${peer}"`))
      }
      if (state === 'idle') return start()
      if (state !== 'up' || scheduled || blocked) return
      scheduled = true
      queueMicrotask(flush)
    },
    pulse() {
      if (!everUp) greet()
      if (open === undefined || blocked) return
      if (pinged) return open.close(new PeerError('silent', `"${peer}" is silent`))
      pinged = true
      open.send(frameKinds.ping, encodeNumber(0))
    },
    close() {
      if (state === 'closed') return
      // The last words may hand leadership over: they still leave.
      flush()
      state = 'closed'
      rest?.cancel()
      ending.abort()
      open?.end()
      open = undefined
      queue = []
    },
  }
}
