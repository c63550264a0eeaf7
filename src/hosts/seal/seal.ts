/**
 * Who knows the cluster's secret may talk; all others are turned away at the door, having learnt nothing
 * and cost little: one hash and one failed decryption for each secret, before any curve is touched.
 *
 * Changing the secret without a pause takes three rounds over the members: accept the new one as second,
 * then offer it as first, then forget the old one.
 */
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { InvalidArgumentError } from '../../errors.ts'
import type { ByteStream, StreamReceiver } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { type Ciphers, initiation, type Response, response } from './noise.ts'
import { SealError, type SealRefusal } from './seal-error.ts'
import { sealedStream } from './sealed-stream.ts'

/** Turns a raw stream into one that can be trusted, from either side. Fails by destroying it. */
export interface Seal {
  /** For the side that connected. @throws {SealError} */
  connect(raw: ByteStream): Promise<ByteStream>
  /** For the side that listens. @throws {SealError} */
  accept(raw: ByteStream): Promise<ByteStream>
}

export interface SealOptions {
  /**
   * 1 to 4. The first is offered, all are accepted. Each 16 to 1_024 bytes of good randomness, no
   * password: who records a handshake can try out guesses at leisure.
   */
  readonly secrets: readonly Uint8Array[]
  /** Both sides must name the same, 1 to 128 characters. Seen by nobody without the secret. */
  readonly clusterId: string
  /** 100 to 600_000, default 5_000. */
  readonly handshakeMs?: number
}

/** `HFS` and the version of the handshake; part of what is hashed, so that it cannot be talked down. */
const prologue: Uint8Array = Uint8Array.of(0x48, 0x46, 0x53, 1)
const greetingBytesMax = 1_024
const accepted = 0
const refusals: readonly SealRefusal[] = ['secret', 'cluster', 'version']

export function seal(runtime: Runtime, options: SealOptions): Seal {
  const { clusterId, handshakeMs = 5_000 } = options
  requireOptions(options)
  const keys = options.secrets.map((secret) =>
    hkdf(sha256, secret, text('holdfast seal'), text('psk 1'), 32),
  )
  const ephemeral = (): Uint8Array => runtime.random.bytes('seal', 32)
  const payload = text(clusterId)

  function connect(raw: ByteStream): Promise<ByteStream> {
    const begun = initiation(keys[0] ?? payload, prologue, ephemeral(), payload)
    raw.write(frame(prologue, begun.message))
    return handshake(runtime, raw, handshakeMs, (body) => {
      if (body[0] !== accepted) {
        const reason = refusals[(body[0] ?? 0) - 1] ?? 'version'
        throw new SealError(reason, `${raw.remote} refused the link: ${reason}`)
      }
      const { payload: theirs, ...ciphers } = ours(raw, () => begun.finish(body.subarray(1)))
      if (!sameBytes(theirs, payload)) throw otherCluster(raw)
      return ciphers
    })
  }

  function accept(raw: ByteStream): Promise<ByteStream> {
    const refuse = (reason: SealRefusal): void => {
      raw.write(frame(Uint8Array.of(refusals.indexOf(reason) + 1), new Uint8Array(0)))
      raw.end()
    }
    return handshake(
      runtime,
      raw,
      handshakeMs,
      (body) => {
        if (!sameBytes(body.subarray(0, prologue.length), prologue)) throw otherVersion(raw)
        const heard = recognised(body.subarray(prologue.length))
        if (heard === undefined) {
          throw new SealError('secret', `${raw.remote} knows none of our secrets`)
        }
        if (!sameBytes(heard.payload, payload)) throw otherCluster(raw)
        const { message, ...ciphers } = ours(raw, () => heard.answer(ephemeral(), payload))
        raw.write(frame(Uint8Array.of(accepted), message))
        return ciphers
      },
      refuse,
    )
  }

  function recognised(message: Uint8Array): Response | undefined {
    for (const key of keys) {
      try {
        return response(key, prologue, message)
      } catch {
        // Made with another secret, or by a stranger: the next one may fit.
      }
    }
    return undefined
  }

  return { connect, accept }
}

/** One message from the other side decides; what comes right after it is sealed already. */
function handshake(
  { timers }: Runtime,
  raw: ByteStream,
  handshakeMs: number,
  decide: (body: Uint8Array) => Ciphers,
  refuse?: (reason: SealRefusal) => void,
): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    let next: StreamReceiver | undefined
    let over = false
    const timer = timers.schedule(handshakeMs, () => {
      fail(new SealError('broken', `${raw.remote} did not finish the handshake in time`))
    })
    function fail(error: unknown): void {
      if (over) return
      over = true
      timer.cancel()
      if (refuse !== undefined && error instanceof SealError && refusals.includes(error.reason)) {
        refuse(error.reason)
      } else raw.destroy()
      reject(error)
    }
    /** Of the greeting only: what comes after it goes to the sealed stream as it is. */
    let heard: Uint8Array = new Uint8Array(0)
    function hear(bytes: Uint8Array): void {
      heard = joined(heard, bytes)
      if (heard.length < 2) return
      const end = 2 + (heard[0] ?? 0) * 256 + (heard[1] ?? 0)
      if (end > greetingBytesMax) {
        throw new SealError('version', `${raw.remote} speaks something else`)
      }
      if (heard.length < end) return
      const sealed = sealedStream(raw, decide(heard.subarray(2, end)))
      next = sealed.receiver
      timer.cancel()
      if (heard.length > end) next.data(heard.subarray(end))
      heard = new Uint8Array(0)
      resolve(sealed.stream)
    }
    raw.receive({
      data(bytes) {
        if (next !== undefined) return next.data(bytes)
        if (over) return
        try {
          hear(bytes)
        } catch (error) {
          fail(error)
        }
      },
      ended() {
        if (next !== undefined) next.ended()
        else fail(new SealError('broken', `${raw.remote} ended the handshake`))
      },
      failed(error) {
        if (next !== undefined) next.failed(error)
        else fail(new SealError('broken', `${raw.remote} broke the handshake`, error))
      },
    })
  })
}

function ours<Value>(raw: ByteStream, work: () => Value): Value {
  try {
    return work()
  } catch (cause) {
    throw new SealError('secret', `${raw.remote} does not know our secret`, cause)
  }
}

function otherCluster(raw: ByteStream): SealError {
  return new SealError('cluster', `${raw.remote} belongs to another cluster`)
}

function otherVersion(raw: ByteStream): SealError {
  return new SealError('version', `${raw.remote} speaks another version of the seal`)
}

function requireOptions({ secrets, clusterId, handshakeMs = 5_000 }: SealOptions): void {
  if (secrets.length < 1 || secrets.length > 4) {
    throw new InvalidArgumentError(`${secrets.length} secrets; expected 1 to 4`)
  }
  for (const { length } of secrets) {
    if (length >= 16 && length <= 1_024) continue
    throw new InvalidArgumentError(`a secret of ${length} bytes; expected 16 to 1024`)
  }
  if (clusterId.length < 1 || clusterId.length > 128 || !clusterId.isWellFormed()) {
    throw new InvalidArgumentError('clusterId is not a text of 1 to 128 characters')
  }
  if (!(Number.isSafeInteger(handshakeMs) && handshakeMs >= 100 && handshakeMs <= 600_000)) {
    throw new InvalidArgumentError(`handshakeMs is ${handshakeMs}; expected 100 to 600000`)
  }
}

function frame(head: Uint8Array, rest: Uint8Array): Uint8Array {
  const length = head.length + rest.length
  return joined(Uint8Array.of(length >>> 8, length & 0xff), joined(head, rest))
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const whole = new Uint8Array(left.length + right.length)
  whole.set(left)
  whole.set(right, left.length)
  return whole
}

/** In the same time wherever they differ. */
function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  let difference = 0
  for (let at = 0; at < left.length; at++) difference |= (left[at] ?? 0) ^ (right[at] ?? 0)
  return difference === 0
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}
