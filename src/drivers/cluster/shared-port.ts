/**
 * One port for two kinds of visitors: members who speak Raft, and clients who want something. Each says
 * which it is in its first four bytes, before anything else, and is handed on with the rest of its words.
 */
import type { ByteStream, Listener, Network, StreamReceiver } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'

type Visitor = 'member' | 'client'

/** `HF`, the visitor, and the version of this greeting. */
const tags: Readonly<Record<Visitor, Uint8Array>> = {
  member: Uint8Array.of(0x48, 0x46, 0x4d, 1),
  client: Uint8Array.of(0x48, 0x46, 0x43, 1),
}
const tagBytes = 4
/** A visitor that does not say what it is by then is shown out. */
const tagMs = 5_000

/** The network as members see it; clients that come to the same port are given to `client`. */
export function sharedPort(runtime: Runtime, client: (stream: ByteStream) => void): Network {
  const { network } = runtime
  return {
    ...tagged(network, 'member'),
    listen: (address, accept): Promise<Listener> =>
      network.listen(address, (raw) => sort(runtime, raw, { member: accept, client })),
  }
}

/** The network as clients see it. */
export function clientNetwork(network: Network): Network {
  return tagged(network, 'client')
}

function tagged(network: Network, visitor: Visitor): Network {
  return {
    listen: (address, accept) => network.listen(address, accept),
    bind: (address, receive) => network.bind(address, receive),
    async connect(address, options) {
      const stream = await network.connect(address, options)
      stream.write(tags[visitor].slice())
      return stream
    },
  }
}

type Accepts = Readonly<Record<Visitor, (stream: ByteStream) => void>>

function sort({ timers }: Runtime, raw: ByteStream, accepts: Accepts): void {
  let heard = new Uint8Array(0)
  let receiver: StreamReceiver | undefined
  // What comes between the tag and the next receiver is kept for it.
  const kept: ((to: StreamReceiver) => void)[] = []
  const tell = (event: (to: StreamReceiver) => void): void => {
    if (receiver === undefined) kept.push(event)
    else event(receiver)
  }
  const late = timers.schedule(tagMs, () => raw.destroy(), { background: true })
  let sorted = false
  let destroyed = false

  function hear(bytes: Uint8Array): void {
    const all = new Uint8Array(heard.length + bytes.length)
    all.set(heard)
    all.set(bytes, heard.length)
    heard = all
    if (heard.length < tagBytes) return
    late.cancel()
    sorted = true
    const visitor = visitorOf(heard)
    if (visitor === undefined) {
      raw.destroy()
      return
    }
    const rest = heard.slice(tagBytes)
    if (rest.length > 0) tell((to) => to.data(rest))
    accepts[visitor](stream)
  }

  const stream: ByteStream = {
    remote: raw.remote,
    receive(next) {
      // Not before this call has returned: a receiver may not be ready to answer yet.
      queueMicrotask(() => {
        receiver = next
        for (const event of kept.splice(0)) if (!destroyed) event(next)
      })
    },
    write: (bytes) => raw.write(bytes),
    drained: () => raw.drained(),
    pause: (paused) => raw.pause(paused),
    end: () => raw.end(),
    destroy() {
      destroyed = true
      raw.destroy()
    },
  }
  raw.receive({
    data(bytes) {
      if (sorted) tell((to) => to.data(bytes))
      else hear(bytes)
    },
    ended() {
      late.cancel()
      if (sorted) tell((to) => to.ended())
      else raw.destroy()
    },
    failed(error) {
      late.cancel()
      if (sorted) tell((to) => to.failed(error))
    },
  })
}

function visitorOf(heard: Uint8Array): Visitor | undefined {
  const is = (visitor: Visitor): boolean =>
    tags[visitor].every((byte, index) => heard[index] === byte)
  if (is('member')) return 'member'
  return is('client') ? 'client' : undefined
}
