/**
 * Two ends of a connection in memory, with somebody in the middle: for tests of what streams carry, where
 * each byte must be under the test's hand. Bytes arrive in a later microtask, cut as `cut` says.
 */
import type { ByteStream, StreamReceiver } from '../../runtime/network.ts'

/** May change, drop, repeat or hold what passes. `pass` hands bytes to the other side. */
export type Middle = (
  direction: 'there' | 'back',
  bytes: Uint8Array,
  pass: (bytes: Uint8Array) => void,
) => void

interface End {
  receiver: StreamReceiver | undefined
  paused: boolean
  over: boolean
  inbox: (Uint8Array | 'end' | 'reset')[]
}

const straight: Middle = (_direction, bytes, pass) => pass(bytes)

export function streamPair(middle: Middle = straight): readonly [ByteStream, ByteStream] {
  const near = newEnd()
  const far = newEnd()
  return [
    streamOf('far', near, far, (bytes, pass) => middle('there', bytes, pass)),
    streamOf('near', far, near, (bytes, pass) => middle('back', bytes, pass)),
  ]
}

function newEnd(): End {
  return { receiver: undefined, paused: false, over: false, inbox: [] }
}

function flush(end: End): void {
  while (end.receiver !== undefined && !end.paused && !end.over) {
    const next = end.inbox.shift()
    if (next === undefined) return
    if (next instanceof Uint8Array) end.receiver.data(next)
    else {
      end.over = true
      if (next === 'end') end.receiver.ended()
      else end.receiver.failed(new Error('reset'))
    }
  }
}

function streamOf(
  remote: string,
  own: End,
  peer: End,
  middle: (bytes: Uint8Array, pass: (bytes: Uint8Array) => void) => void,
): ByteStream {
  let closed = false
  const put = (item: Uint8Array | 'end' | 'reset'): void => {
    peer.inbox.push(item)
    queueMicrotask(() => flush(peer))
  }
  return {
    remote,
    receive(receiver) {
      own.receiver = receiver
      flush(own)
    },
    write(bytes) {
      if (!closed) middle(bytes.slice(), put)
      return true
    },
    drained: () => Promise.resolve(),
    pause(paused) {
      own.paused = paused
      if (!paused) queueMicrotask(() => flush(own))
    },
    end() {
      if (!closed) put('end')
      closed = true
    },
    destroy() {
      if (!closed && !own.over) put('reset')
      closed = true
      own.over = true
    },
  }
}
