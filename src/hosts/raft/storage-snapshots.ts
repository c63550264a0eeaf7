/**
 * The folder of snapshots. A file gets its final name only when it is whole, checked and durable, so what bears
 * one is a snapshot; `.new` is one being written, `.incoming` one being received, `.received` one that came
 * whole and waits to be adopted.
 */
import { CorruptDataError } from '../../errors.ts'
import type { SnapshotMark } from '../../protocols/raft/entry.ts'
import type { Disk, DiskFile } from '../../runtime/disk.ts'
import type { StoredSnapshot } from './storage-contract.ts'
import {
  blockBytes,
  checkBlock,
  readSnapshot,
  type SnapshotReader,
  snapshotId,
} from './storage-snapshot-format.ts'

export type Suffix = '' | '.new' | '.incoming' | '.received'

export type Place = Pick<SnapshotMark, 'index' | 'term'>

export function snapshotPath(folder: string, { index, term }: Place, suffix: Suffix = ''): string {
  return `${folder}/${digits(index)}-${digits(term)}.snapshot${suffix}`
}

function digits(value: number): string {
  return String(value).padStart(16, '0')
}

/** Those with their final name, the newest first. */
export async function snapshotsIn(disk: Disk, folder: string): Promise<readonly Place[]> {
  return (await disk.list(folder))
    .map((name) => /^(\d{16})-(\d{16})\.snapshot$/.exec(name))
    .flatMap((match) => (match ? [{ index: Number(match[1]), term: Number(match[2]) }] : []))
    .sort((a, b) => b.index - a.index)
}

/** Removes what a crash left half done, but what `keeps`. */
export async function removeLeftovers(
  disk: Disk,
  folder: string,
  keeps: (name: string) => boolean,
): Promise<void> {
  for (const name of await disk.list(folder)) {
    if (/\.snapshot\.(new|incoming|received)$/.test(name) && !keeps(name)) {
      await disk.remove(`${folder}/${name}`)
    }
  }
}

export async function removeOlder(disk: Disk, folder: string, newest: number): Promise<void> {
  for (const place of await snapshotsIn(disk, folder)) {
    if (place.index < newest) await disk.remove(snapshotPath(folder, place))
  }
}

/** Reads all of it. @returns its mark. @throws {CorruptDataError} it is not whole. */
export async function checkSnapshot(disk: Disk, path: string, place: Place): Promise<SnapshotMark> {
  const file = await disk.open(path, 'read')
  try {
    return await checkOpenSnapshot(file, path, place)
  } finally {
    await file.close()
  }
}

export async function checkOpenSnapshot(
  file: DiskFile,
  path: string,
  place: Place,
): Promise<SnapshotMark> {
  const reader = await readSnapshot(file, path)
  const { mark } = reader
  if (mark.index !== place.index || mark.term !== place.term) {
    throw new CorruptDataError(`${path} is the snapshot at ${mark.index} of term ${mark.term}`)
  }
  while ((await reader.next()) !== undefined);
  return mark
}

export async function openSnapshot(disk: Disk, path: string): Promise<StoredSnapshot> {
  const file = await disk.open(path, 'read')
  let reader: SnapshotReader
  try {
    reader = await readSnapshot(file, path)
  } catch (error) {
    await file.close()
    throw error
  }
  const sizeBytes = await file.sizeBytes()
  const id = await snapshotId(file, path)
  return {
    mark: reader.mark,
    sizeBytes,
    async readAt(position, length) {
      const end = Math.min(sizeBytes, position + length)
      const start = Math.floor(position / blockBytes) * blockBytes
      if (end <= position) return new Uint8Array(0)
      const blocks = await file.readAt(start, Math.ceil((end - start) / blockBytes) * blockBytes)
      for (let at = 0; at < blocks.length; at += blockBytes) {
        checkBlock(blocks.subarray(at, at + blockBytes), id, (start + at) / blockBytes, path)
      }
      return blocks.subarray(position - start, end - start)
    },
    async pieces() {
      const again = await readSnapshot(file, path)
      const pieces: Uint8Array[] = []
      for (let piece = await again.next(); piece; piece = await again.next()) pieces.push(piece)
      return pieces
    },
    close: () => file.close(),
  }
}
