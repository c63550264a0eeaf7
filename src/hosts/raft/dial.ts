/**
 * Calling a member: connect, seal, say who we are, and hear that it is the one we meant, with the disk it
 * always had.
 */

import type { MemberId } from '../../protocols/raft/entry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Seal } from '../seal/seal.ts'
import { type Channel, channel } from './channel.ts'
import { PeerError } from './peer-error.ts'
import {
  decodeRefusal,
  decodeWelcome,
  encodeHello,
  frameBytesMax,
  frameKinds,
  greetingBytesMax,
  type Purpose,
} from './wire.ts'

/** Who this member is, towards others. */
export interface Self {
  readonly id: MemberId
  readonly clusterId: string
  readonly diskId: string
  /** Protocol versions it speaks. */
  readonly versions: { readonly min: number; readonly max: number }
  readonly seal: Seal
  /** How long a connection and its greeting may take. */
  readonly greetingMs: number
  /** Pins the disk of a member at first contact. @returns `false` if another one is pinned. */
  approve(peer: MemberId, diskId: string): Promise<boolean>
}

export interface Call {
  readonly peer: MemberId
  readonly target: string
  /** Where we are reached ourselves. */
  readonly address: string
  readonly purpose: Purpose
  readonly signal: AbortSignal
}

/** @throws {PeerError} @throws {SealError} @throws {UnavailableError} */
export async function dial(runtime: Runtime, self: Self, call: Call): Promise<Channel> {
  const { signal, target } = call
  const raw = await runtime.network.connect(target, { timeoutMs: self.greetingMs, signal })
  const stream = await self.seal.connect(raw)
  const { open, diskId } = await greet(runtime, self, call, (events) =>
    channel(stream, greetingBytesMax, events),
  )
  const approved = await self.approve(call.peer, diskId)
  if (!approved) {
    const error = new PeerError('disk', `"${call.peer}" has another disk than it had`)
    open.close(error)
    throw error
  }
  if (signal.aborted) {
    const error = new PeerError('closed', 'this member is closing')
    open.close(error)
    throw error
  }
  if (open.over) throw new PeerError('silent', `"${call.peer}" hung up after its welcome`)
  open.allow(frameBytesMax)
  return open
}

function greet(
  runtime: Runtime,
  self: Self,
  { peer, target, address, purpose }: Call,
  openChannel: (events: Parameters<typeof channel>[2]) => Channel,
): Promise<{ readonly open: Channel; readonly diskId: string }> {
  return new Promise((resolve, reject) => {
    const timer = runtime.timers.schedule(self.greetingMs, () => {
      open.close(new PeerError('silent', `"${peer}" at ${target} did not answer the greeting`))
    })
    const open = openChannel({
      frame(kind, body) {
        if (kind === frameKinds.refusal) {
          const reason = decodeRefusal(body)
          throw new PeerError(reason, `"${peer}" at ${target} refused the link: ${reason}`)
        }
        if (kind !== frameKinds.welcome) throw new PeerError('malformed', 'no welcome')
        const { version, diskId } = decodeWelcome(body)
        if (version < self.versions.min || version > self.versions.max) {
          throw new PeerError('version', `"${peer}" chose version ${version}`)
        }
        timer.cancel()
        open.listen(silence)
        resolve({ open, diskId })
      },
      closed(error) {
        timer.cancel()
        reject(error ?? new PeerError('silent', `"${peer}" at ${target} hung up`))
      },
    })
    const { min, max } = self.versions
    const { id: from, clusterId, diskId } = self
    const hello = { min, max, clusterId, from, to: peer, address, diskId, purpose }
    open.send(frameKinds.hello, encodeHello(hello))
  })
}

/** Between the welcome and the first listener a listener says nothing. */
const silence: Parameters<typeof channel>[2] = {
  frame() {
    throw new PeerError('malformed', 'words between the greeting and the talk')
  },
  closed() {},
}
