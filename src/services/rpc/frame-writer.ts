/**
 * The way out: messages wait here, are packed many to a write once per tick, and leave in fair turns.
 * Small messages go first, but after every 32 KiB of them one chunk of a large message has its turn;
 * large messages take turns among themselves and stop when the peer's window is used up. So a large
 * message delays a small one by one window at most, and neither starves the other.
 *
 * A message that has not left in full can be withdrawn, which is the difference between `not-applied`
 * and `unknown` for the caller.
 */
import type { ByteStream } from '../../runtime/network.ts'
import { bulkMax, chunkBytes, frameHeadBytes, frameKind, moreFlag, writeHead } from './wire.ts'

const slabBytes = 65_536
const smallTurnBytes = 32_768

/** A message on its way. Only the writer changes it. */
export interface Outgoing {
  readonly kind: number
  readonly id: number
  readonly body: Uint8Array
  /** `left`: every byte was handed to the stream; what became of it nobody knows. */
  state: 'waiting' | 'begun' | 'left' | 'withdrawn'
  at: number
}

export interface FrameWriter {
  send(kind: number, id: number, body: Uint8Array): Outgoing
  /** @returns `true`: the peer will never see the whole message. */
  withdraw(message: Outgoing): boolean
  /** The peer took this many bytes of large messages. */
  credit(bytes: number): void
  /** Hands over everything that may go now, without waiting for the end of the tick. */
  flush(): void
  /** Bytes of messages that wait here. */
  readonly waitingBytes: number
  /** Ends the stream once everything has left; messages sent later are dropped. */
  end(): void
  stop(): void
}

export function frameWriter(stream: ByteStream, initialCredit: number): FrameWriter {
  // Sets, because they keep order and forget a withdrawn message at once, body and all.
  const small = new Set<Outgoing>()
  const bulkWaiting = new Set<Outgoing>()
  /** Invariant: at most `bulkMax`; the first one has the next turn. */
  const bulkBegun: Outgoing[] = []
  let window = initialCredit
  let waitingBytes = 0
  let slab = new Uint8Array(0)
  let from = 0
  let to = 0
  let blocked = false
  let scheduled = false
  let stopped = false
  let ending = false

  function schedule(): void {
    if (scheduled || blocked || stopped) return
    scheduled = true
    queueMicrotask(flush)
  }

  function flush(): void {
    scheduled = false
    while (!blocked && !stopped) {
      const smallMoved = smallTurn()
      const bulkMoved = !blocked && bulkTurn()
      if (!smallMoved && !bulkMoved) break
    }
    emit()
    if (ending && !stopped && small.size + bulkBegun.length + bulkWaiting.size === 0) stream.end()
  }

  /** @returns whether anything left. */
  function smallTurn(): boolean {
    let bytes = 0
    for (const message of small) {
      if (bytes >= smallTurnBytes || blocked) break
      small.delete(message)
      message.state = 'left'
      waitingBytes -= message.body.length
      bytes += frameHeadBytes + message.body.length
      frame(message.kind, 0, message.id, message.body)
    }
    return bytes > 0
  }

  /** One chunk of one large message. @returns whether anything left. */
  function bulkTurn(): boolean {
    for (const next of bulkWaiting) {
      if (bulkBegun.length >= bulkMax) break
      bulkWaiting.delete(next)
      bulkBegun.push(next)
    }
    const message = bulkBegun.shift()
    if (message === undefined) return false
    if (message.state === 'withdrawn') {
      // Its place is free for the peer only after the peer heard of it, hence not before this frame.
      if (message.at > 0) frame(frameKind.cancel, 0, message.id, nothing)
      return true
    }
    const chunk = message.body.subarray(message.at, message.at + chunkBytes)
    if (chunk.length > window) {
      bulkBegun.unshift(message)
      return false
    }
    const kind = message.at === 0 ? message.kind : frameKind.continuation
    window -= chunk.length
    waitingBytes -= chunk.length
    message.at += chunk.length
    message.state = message.at === message.body.length ? 'left' : 'begun'
    frame(kind, message.state === 'begun' ? moreFlag : 0, message.id, chunk)
    if (message.state === 'begun') bulkBegun.push(message)
    return true
  }

  function frame(kind: number, flags: number, id: number, body: Uint8Array): void {
    const size = frameHeadBytes + body.length
    if (slab.length - to < size) {
      emit()
      slab = new Uint8Array(slabBytes)
      from = 0
      to = 0
    }
    writeHead(slab, to, { length: body.length, kind, flags, id })
    slab.set(body, to + frameHeadBytes)
    to += size
  }

  /** Bytes given to the stream are the stream's; the rest of the slab is still ours. */
  function emit(): void {
    if (from === to || stopped) return
    const bytes = slab.subarray(from, to)
    from = to
    if (stream.write(bytes)) return
    blocked = true
    void stream.drained().then(() => {
      blocked = false
      flush()
    })
  }

  return {
    send(kind, id, body) {
      const message: Outgoing = { kind, id, body, state: 'waiting', at: 0 }
      if (stopped || ending) return message
      waitingBytes += body.length
      if (body.length <= chunkBytes) small.add(message)
      else bulkWaiting.add(message)
      schedule()
      return message
    },
    withdraw(message) {
      if (message.state === 'left') return false
      if (message.state === 'withdrawn') return true
      waitingBytes -= message.body.length - message.at
      message.state = 'withdrawn'
      small.delete(message)
      bulkWaiting.delete(message)
      schedule()
      return true
    },
    credit(bytes) {
      window += bytes
      schedule()
    },
    flush,
    get waitingBytes() {
      return waitingBytes
    },
    end() {
      ending = true
      schedule()
    },
    stop() {
      stopped = true
      small.clear()
      bulkWaiting.clear()
      bulkBegun.length = 0
      waitingBytes = 0
    },
  }
}

const nothing = new Uint8Array(0)
