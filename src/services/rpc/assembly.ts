/**
 * Large messages come in chunks and are put together here. A hostile peer could begin many and finish
 * none, or claim any size, so both are limited: memory follows what was truly received.
 */
import { RpcProtocolError } from './rpc-error.ts'
import { bulkMax, type FrameKind, frameKind, moreFlag } from './wire.ts'

export interface Assembly {
  /**
   * Takes one frame of a request, response or error.
   * @returns the message if it is complete.
   * @throws {RpcProtocolError} chunks that fit no message, too many messages, too many bytes.
   */
  take(kind: number, flags: number, id: number, body: Uint8Array): Message | undefined
  /** The sender gave up. */
  drop(id: number): void
  /** Is a message with this id begun? */
  has(id: number): boolean
  /** Messages begun and not complete. */
  readonly size: number
}

export interface Message {
  readonly kind: FrameKind
  readonly id: number
  readonly body: Uint8Array
}

interface Part {
  readonly kind: FrameKind
  bytes: Uint8Array
  filled: number
}

export function assembly(messageBytesMax: number): Assembly {
  const parts = new Map<number, Part>()

  function append(part: Part, body: Uint8Array): void {
    const filled = part.filled + body.length
    if (filled > messageBytesMax) {
      throw new RpcProtocolError(`a message is over the limit of ${messageBytesMax} bytes`)
    }
    if (filled > part.bytes.length) {
      const larger = new Uint8Array(Math.min(messageBytesMax, Math.max(filled, 2 * filled)))
      larger.set(part.bytes.subarray(0, part.filled))
      part.bytes = larger
    }
    part.bytes.set(body, part.filled)
    part.filled = filled
  }

  function resume(flags: number, id: number, body: Uint8Array): Message | undefined {
    const part = parts.get(id)
    if (part === undefined) throw new RpcProtocolError('a chunk belongs to no message')
    append(part, body)
    if ((flags & moreFlag) !== 0) return undefined
    parts.delete(id)
    return { kind: part.kind, id, body: part.bytes.subarray(0, part.filled) }
  }

  return {
    take(kind, flags, id, body) {
      if (kind === frameKind.continuation) return resume(flags, id, body)
      if (parts.has(id)) throw new RpcProtocolError('a message begins twice')
      if (body.length > messageBytesMax) {
        throw new RpcProtocolError(`a message is over the limit of ${messageBytesMax} bytes`)
      }
      if ((flags & moreFlag) === 0) return { kind: kind as FrameKind, id, body }
      if (parts.size >= bulkMax) {
        throw new RpcProtocolError(`more than ${bulkMax} large messages at a time`)
      }
      const part = { kind: kind as FrameKind, bytes: new Uint8Array(0), filled: 0 }
      parts.set(id, part)
      append(part, body)
      return undefined
    },
    drop(id) {
      parts.delete(id)
    },
    has: (id) => parts.has(id),
    get size() {
      return parts.size
    },
  }
}
