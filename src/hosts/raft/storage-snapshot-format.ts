/**
 * A snapshot file, version 1: a stream of bytes cut into blocks of 64 KiB, each with a checksum of its own that
 * also covers its place and the snapshot's random id. So any part can be checked alone, at any place,
 * and parts of two snapshots of the same state cannot be mixed.
 *
 *   block    crc 4 | up to 65_532 bytes of the stream; only the last is shorter
 *   stream   magic 8 | version 1 | id 16 | length 4, mark | pieces… | end
 *   piece    length 4 | bytes
 *   end      4 bytes of 255 | number of pieces 8 | bytes in them 8
 *
 * Numbers are little-endian. What travels to another member are these very bytes.
 */
import { CorruptDataError, FormatTooNewError, InvalidArgumentError } from '../../errors.ts'
import type { SnapshotMark } from '../../protocols/raft/entry.ts'
import { decodeMark, encodeMark } from '../../protocols/raft/entry-codec.ts'
import type { DiskFile } from '../../runtime/disk.ts'
import { crc32c } from '../log/checksum.ts'

export const blockBytes = 65_536
const crcBytes = 4
export const pieceBytesMax = 262_144
/** Blocks read or written at once. */
const runBlocks = 16
const version = 1
const magic = new TextEncoder().encode('HOLDSNAP')
const idAt = crcBytes + magic.length + 1
const endLength = 0xffff_ffff
const markBytesMax = 16_777_216

/** @returns the size of the file; it is not synced. @throws {InvalidArgumentError} a piece is too long. */
export async function writeSnapshot(
  file: DiskFile,
  mark: SnapshotMark,
  pieces: Iterable<Uint8Array>,
  id: Uint8Array,
): Promise<number> {
  const blocks = blockWriter(file, id)
  const encoded = encodeMark(mark)
  await blocks.put(magic)
  await blocks.put(Uint8Array.of(version))
  await blocks.put(id)
  await blocks.put(numbers(encoded.length))
  await blocks.put(encoded)
  let count = 0
  let total = 0
  for (const piece of pieces) {
    if (piece.length > pieceBytesMax) {
      throw new InvalidArgumentError(
        `a piece of the snapshot has ${piece.length} bytes; expected at most ${pieceBytesMax}`,
      )
    }
    await blocks.put(numbers(piece.length))
    await blocks.put(piece)
    count++
    total += piece.length
  }
  await blocks.put(numbers(endLength, ...halves(count), ...halves(total)))
  return blocks.end()
}

interface BlockWriter {
  put(bytes: Uint8Array): Promise<void>
  end(): Promise<number>
}

function blockWriter(file: DiskFile, id: Uint8Array): BlockWriter {
  // Most snapshots of a young member fit in one block.
  let run = new Uint8Array(blockBytes)
  let used = crcBytes
  let start = 0

  async function flush(): Promise<void> {
    for (let at = 0; at < used; at += blockBytes) {
      const end = Math.min(at + blockBytes, used)
      const crc = blockCrc(run.subarray(at + crcBytes, end), id, (start + at) / blockBytes)
      new DataView(run.buffer).setUint32(at, crc, true)
    }
    await file.writeAt(start, run.subarray(0, used))
    start += used
    used = crcBytes
  }

  return {
    async put(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const room = blockBytes - (used % blockBytes)
        const part = bytes.subarray(done, done + room)
        run.set(part, used)
        used += part.length
        done += part.length
        if (used === run.length) {
          await flush()
          if (run.length === blockBytes) run = new Uint8Array(runBlocks * blockBytes)
        } else if (used % blockBytes === 0) used += crcBytes
      }
    },
    async end() {
      if (used > crcBytes) {
        // A block that was begun and has nothing in it is left out.
        if (used % blockBytes === crcBytes) used -= crcBytes
        await flush()
      }
      return start
    },
  }
}

/** A snapshot being read, from its beginning. Everything it hands out has been checked. */
export interface SnapshotReader {
  readonly mark: SnapshotMark
  readonly id: Uint8Array
  /** @returns `undefined` after the last piece: then, and only then, the snapshot is whole. */
  next(): Promise<Uint8Array | undefined>
}

/** @throws {CorruptDataError} here or in `next`. @throws {FormatTooNewError} */
export async function readSnapshot(file: DiskFile, path: string): Promise<SnapshotReader> {
  const sizeBytes = await file.sizeBytes()
  const id = await snapshotId(file, path)
  const stream = streamReader(file, path, sizeBytes, id)
  await stream.take(idAt - crcBytes + id.length)
  const markLength = numberAt(await stream.take(4))
  if (markLength > markBytesMax) throw damagedSnapshot(path, 0, 'its mark has no length')
  const mark = decodeMark(await stream.take(markLength))
  let count = 0
  let total = 0
  return {
    mark,
    id,
    async next() {
      const length = numberAt(await stream.take(4))
      if (length !== endLength) {
        if (length > pieceBytesMax)
          throw damagedSnapshot(path, stream.position(), 'a piece has no end')
        count++
        total += length
        return stream.take(length)
      }
      const said = await stream.take(16)
      if (wholeAt(said, 0) !== count || wholeAt(said, 8) !== total || !stream.atEnd()) {
        throw damagedSnapshot(path, stream.position(), 'its end does not fit')
      }
      return undefined
    },
  }
}

/** The random id of the snapshot in this file, as its first block says it. */
export async function snapshotId(file: DiskFile, path: string): Promise<Uint8Array> {
  return idOf(await file.readAt(0, blockBytes), path)
}

/** From the first block, or the beginning of it. */
export function idOf(block: Uint8Array, path: string): Uint8Array {
  const body = block.subarray(crcBytes)
  if (block.length < idAt + 16 || magic.some((byte, at) => byte !== body[at])) {
    throw damagedSnapshot(path, 0, 'it does not begin as a snapshot')
  }
  const found = body[magic.length] ?? 0
  const id = block.slice(idAt, idAt + 16)
  checkBlock(block, id, 0, path)
  if (found <= version) return id
  throw new FormatTooNewError(`${path} has format ${found}; this code knows ${version}`)
}

/** @throws {CorruptDataError} this is not the block of that number of that snapshot. */
export function checkBlock(block: Uint8Array, id: Uint8Array, number: number, path: string): void {
  const body = block.subarray(crcBytes)
  if (body.length > 0 && numberAt(block) === blockCrc(body, id, number)) return
  throw damagedSnapshot(path, number * blockBytes, `block ${number} has another checksum`)
}

interface StreamReader {
  take(length: number): Promise<Uint8Array>
  position(): number
  atEnd(): boolean
}

function streamReader(
  file: DiskFile,
  path: string,
  sizeBytes: number,
  id: Uint8Array,
): StreamReader {
  let run: Uint8Array = new Uint8Array(0)
  let runStart = 0
  /** In the file. */
  let position = crcBytes

  async function load(): Promise<void> {
    if (position < runStart + run.length && position >= runStart) return
    if (position >= sizeBytes) throw damagedSnapshot(path, sizeBytes, 'it is cut off')
    runStart = Math.floor(position / blockBytes) * blockBytes
    run = await file.readAt(runStart, runBlocks * blockBytes)
    for (let at = 0; at < run.length; at += blockBytes) {
      checkBlock(run.subarray(at, at + blockBytes), id, (runStart + at) / blockBytes, path)
    }
  }

  return {
    position: () => position,
    atEnd: () => position - (position % blockBytes === crcBytes ? crcBytes : 0) === sizeBytes,
    async take(length) {
      const taken = new Uint8Array(length)
      for (let done = 0; done < length; ) {
        await load()
        const at = position - runStart
        const end = Math.min(run.length, at + blockBytes - (position % blockBytes))
        const part = run.subarray(at, Math.min(end, at + length - done))
        taken.set(part, done)
        done += part.length
        position += part.length
        if (position % blockBytes === 0) position += crcBytes
      }
      return taken
    },
  }
}

export function damagedSnapshot(path: string, offset: number, why: string): CorruptDataError {
  return new CorruptDataError(`${path} is damaged at byte ${offset}: ${why}`, {
    details: { path, offset },
  })
}

const seeds = new WeakMap<Uint8Array, number>()

function blockCrc(body: Uint8Array, id: Uint8Array, number: number): number {
  let seed = seeds.get(id)
  if (seed === undefined) {
    seed = crc32c(id)
    seeds.set(id, seed)
  }
  return crc32c(body, crc32c(numbers(number), seed))
}

function numbers(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4)
  const view = new DataView(bytes.buffer)
  for (const [order, value] of values.entries()) view.setUint32(order * 4, value, true)
  return bytes
}

function halves(value: number): readonly [number, number] {
  return [value % 2 ** 32, Math.floor(value / 2 ** 32)]
}

function numberAt(bytes: Uint8Array, at = 0): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at, true)
}

function wholeAt(bytes: Uint8Array, at: number): number {
  return numberAt(bytes, at) + numberAt(bytes, at + 4) * 2 ** 32
}
