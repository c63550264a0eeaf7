/**
 * A snapshot coming in from another member, in order, as the bytes of its file. Each block is checked as soon
 * as it is whole, so that damage, or a sender with another snapshot of the same state, shows at once; what
 * is here stays when the link breaks, and the next sender goes on from there.
 */
import { CorruptDataError, InvalidArgumentError } from '../../errors.ts'
import type { SnapshotMark } from '../../protocols/raft/entry.ts'
import { encodeMark } from '../../protocols/raft/entry-codec.ts'
import type { Disk, DiskFile } from '../../runtime/disk.ts'
import { blockBytes, checkBlock, damagedSnapshot, idOf } from './storage-snapshot-format.ts'
import { checkOpenSnapshot, snapshotPath } from './storage-snapshots.ts'

export interface IncomingFile {
  readonly mark: SnapshotMark
  /** So many bytes are here, in whole blocks that were checked, and after them some that wait. */
  position(): number
  isOpen(): boolean
  /** A new sender's turn: the number to come with from now on. Earlier ones are refused. */
  takeOver(): number
  /** @throws {CorruptDataError} it does not fit; the file is gone, and the next attempt begins anew. */
  accept(turn: number, position: number, bytes: Uint8Array): Promise<void>
  /** Checks all, syncs it, and names it `.received`. @throws {CorruptDataError} and the file is gone. */
  finish(turn: number, sizeBytes: number): Promise<void>
  /** It is finished, and the caller's from now on. @returns its path. */
  release(turn: number): Promise<string>
  /** Removes it, unless it was released. */
  drop(): Promise<void>
}

const acceptBytesMax = 16_777_216

/** Only for this process: what a crash leaves is begun anew, since nobody knows what of it is on disk. */
export async function incomingFile(
  disk: Disk,
  folder: string,
  mark: SnapshotMark,
): Promise<IncomingFile> {
  const path = snapshotPath(folder, mark, '.incoming')
  const received = snapshotPath(folder, mark, '.received')
  const file: DiskFile = await disk.open(path, 'create')
  await file.truncate(0)
  let id: Uint8Array | undefined
  let blocks = 0
  let waiting = new Uint8Array(blockBytes)
  let waitingLength = 0
  let state: 'open' | 'finished' | 'gone' = 'open'
  let turn = 0

  async function drop(): Promise<void> {
    if (state === 'gone') return
    const last = state === 'finished' ? received : path
    state = 'gone'
    await file.close()
    await disk.remove(last)
  }

  function requireTurn(asked: number, wanted: typeof state): void {
    if (state === wanted && asked === turn) return
    const why = asked === turn ? `it is ${state}` : 'another sender has taken over'
    throw new InvalidArgumentError(`${path} takes no more: ${why}`)
  }

  /** Runs work after whose failure what is here is worth nothing. */
  async function orDrop(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      await drop().catch(() => undefined)
      throw error
    }
  }

  async function keep(block: Uint8Array): Promise<void> {
    if (id === undefined) id = idOf(block, path)
    else checkBlock(block, id, blocks, path)
    await file.writeAt(blocks * blockBytes, block)
    blocks++
  }

  async function take(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const part = bytes.subarray(done, done + blockBytes - waitingLength)
      waiting.set(part, waitingLength)
      waitingLength += part.length
      done += part.length
      if (waitingLength < blockBytes) continue
      await keep(waiting)
      waiting = new Uint8Array(blockBytes)
      waitingLength = 0
    }
  }

  async function settle(sizeBytes: number): Promise<void> {
    if (waitingLength > 0) await keep(waiting.subarray(0, waitingLength))
    const found = await checkOpenSnapshot(file, path, mark)
    if ((await file.sizeBytes()) !== sizeBytes) {
      throw damagedSnapshot(path, sizeBytes, 'it has another size')
    }
    if (!sameBytes(encodeMark(found), encodeMark(mark))) {
      throw new CorruptDataError(`${path} says another configuration than was announced`)
    }
    await file.sync()
    await disk.rename(path, received)
    state = 'finished'
    await disk.syncDirectory(folder)
  }

  const position = (): number => blocks * blockBytes + waitingLength
  return {
    mark,
    position,
    isOpen: () => state === 'open',
    takeOver: () => ++turn,
    async accept(asked, at, bytes) {
      requireTurn(asked, 'open')
      if (at !== position() || bytes.length > acceptBytesMax) {
        throw new InvalidArgumentError(
          `${bytes.length} bytes for ${at}; expected at most ${acceptBytesMax} for ${position()}`,
        )
      }
      await orDrop(() => take(bytes))
    },
    async finish(asked, sizeBytes) {
      requireTurn(asked, 'open')
      if (sizeBytes !== position()) {
        throw new InvalidArgumentError(`${sizeBytes} bytes are said, ${position()} are here`)
      }
      await orDrop(() => settle(sizeBytes))
    },
    async release(asked) {
      requireTurn(asked, 'finished')
      state = 'gone'
      await file.close()
      return received
    },
    drop,
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at])
}
