/**
 * A snapshot on its way between two members, on a stream of its own so that the log flows on beside it. The
 * receiver says how far it has come, at the beginning and after each piece: that resumes what a broken
 * stream cut off, keeps the sender from running ahead, and shows that somebody is there.
 */
import type { SnapshotMark } from '../../protocols/raft/entry.ts'
import type { Timers } from '../../runtime/clock.ts'
import type { Channel } from './channel.ts'
import { PeerError } from './peer-error.ts'
import type { RaftStorage, SnapshotReceiver, StoredSnapshot } from './storage-contract.ts'
import {
  decodeNumber,
  decodeOffer,
  decodePiece,
  encodeNumber,
  encodeOffer,
  encodePiece,
  frameKinds,
  pieceBytes,
  type SnapshotOffer,
} from './wire.ts'

/** Pieces that may be on their way unacknowledged. */
const windowPieces = 8

/** @returns `true` when the receiver has it, checked and durable. @throws if the link broke or fell silent. */
export async function sendSnapshot(
  timers: Timers,
  open: Channel,
  snapshot: StoredSnapshot,
  term: number,
  silentMs: number,
): Promise<void> {
  const talk = conversation(timers, open, silentMs)
  try {
    const { mark, sizeBytes } = snapshot
    open.send(frameKinds.snapshotOffer, encodeOffer({ term, mark, sizeBytes }))
    let heard = await talk.next()
    if (heard.kind === frameKinds.snapshotDone) return
    let acknowledged = wanted(heard)
    let position = acknowledged
    while (position < sizeBytes) {
      while (position - acknowledged >= windowPieces * pieceBytes)
        acknowledged = wanted(await talk.next())
      const bytes = await snapshot.readAt(position, Math.min(pieceBytes, sizeBytes - position))
      open.send(frameKinds.snapshotPiece, encodePiece(position, bytes))
      position += bytes.length
    }
    open.send(frameKinds.snapshotEnd, encodeNumber(sizeBytes))
    do heard = await talk.next()
    while (heard.kind === frameKinds.snapshotWanted)
    if (heard.kind !== frameKinds.snapshotDone) throw unexpected(heard)
  } finally {
    talk.end()
  }
}

export interface Received {
  readonly offer: SnapshotOffer
  readonly receiver: SnapshotReceiver
}

/**
 * Takes a snapshot in, until it lies whole on this member's disk.
 * @returns `undefined` if it is not wanted.
 */
export async function receiveSnapshot(
  timers: Timers,
  open: Channel,
  storage: RaftStorage,
  isWanted: (mark: SnapshotMark) => boolean,
  silentMs: number,
): Promise<Received | undefined> {
  const talk = conversation(timers, open, silentMs)
  try {
    const first = await talk.next()
    if (first.kind !== frameKinds.snapshotOffer) throw unexpected(first)
    const offer = decodeOffer(first.body)
    if (!isWanted(offer.mark)) {
      open.send(frameKinds.snapshotDone, encodeNumber(offer.mark.index))
      return undefined
    }
    const receiver = await storage.receiveSnapshot(offer.mark)
    let { position } = receiver
    open.send(frameKinds.snapshotWanted, encodeNumber(position))
    for (;;) {
      const heard = await talk.next()
      if (heard.kind === frameKinds.snapshotEnd) break
      if (heard.kind !== frameKinds.snapshotPiece) throw unexpected(heard)
      const piece = decodePiece(heard.body)
      if (piece.position !== position) throw new PeerError('malformed', 'a piece is out of place')
      await receiver.accept(position, piece.bytes)
      position += piece.bytes.length
      open.send(frameKinds.snapshotWanted, encodeNumber(position))
    }
    await receiver.finish(offer.sizeBytes)
    open.send(frameKinds.snapshotDone, encodeNumber(offer.mark.index))
    return { offer, receiver }
  } finally {
    talk.end()
  }
}

interface Frame {
  readonly kind: number
  readonly body: Uint8Array
}

interface Conversation {
  /** @throws {PeerError} nothing came for so long, or the link ended. */
  next(): Promise<Frame>
  end(): void
}

/** Frames as answers to wait for. Few come unasked, and a flood ends it. */
function conversation(timers: Timers, open: Channel, silentMs: number): Conversation {
  const inbox: Frame[] = []
  let asking: { resolve(frame: Frame): void; reject(error: Error): void } | undefined
  let over: Error | undefined

  open.listen({
    frame(kind, body) {
      if (asking !== undefined) asking.resolve({ kind, body })
      else if (inbox.push({ kind, body }) > 2 * windowPieces + 4) {
        throw new PeerError('malformed', 'more than was asked for')
      }
    },
    closed(error) {
      over = error ?? new PeerError('silent', `${open.remote} hung up`)
      asking?.reject(over)
    },
  })
  return {
    next() {
      const here = inbox.shift()
      if (here !== undefined) return Promise.resolve(here)
      if (over !== undefined) return Promise.reject(over)
      return new Promise((resolve, reject) => {
        const timer = timers.schedule(silentMs, () => {
          asking = undefined
          reject(new PeerError('silent', `${open.remote} is silent`))
        })
        const done = (): void => {
          timer.cancel()
          asking = undefined
        }
        asking = {
          resolve(frame) {
            done()
            resolve(frame)
          },
          reject(error) {
            done()
            reject(error)
          },
        }
      })
    },
    end() {
      if (over === undefined) open.end()
    },
  }
}

function wanted(heard: Frame): number {
  if (heard.kind !== frameKinds.snapshotWanted) throw unexpected(heard)
  return decodeNumber(heard.body)
}

function unexpected({ kind }: Frame): PeerError {
  return new PeerError('malformed', `frame of kind ${kind} in a talk about snapshots`)
}
