/**
 * Which disk each member had when it was first met. A member whose disk was wiped has forgotten its vote
 * and what it acknowledged; under its old name it could help to undo what was agreed. So a name stays with
 * its first disk for good, and who comes with another is refused: it must join as a new member.
 */
import { CorruptDataError } from '../../errors.ts'
import { byteReader, byteWriter } from '../../protocols/raft/bytes.ts'
import type { MemberId } from '../../protocols/raft/entry.ts'
import { readId, writeId } from '../../protocols/raft/entry-codec.ts'
import type { Disk } from '../../runtime/disk.ts'
import { crc32c } from '../log/checksum.ts'

export interface Pins {
  /**
   * Pins at first contact, durably.
   * @returns is it the disk that is pinned?
   * @throws {UnavailableError} or {OutcomeUnknownError}: it could not be pinned now.
   */
  approve(peer: MemberId, diskId: string): Promise<boolean>
  close(): Promise<void>
}

const version = 1
/** Members that a cluster has had, over all its life. */
const pinsMax = 4_096
const fileName = 'peers'

/** @throws {CorruptDataError} the file is damaged. */
export async function pins(disk: Disk, folder: string): Promise<Pins> {
  const path = `${folder}/${fileName}`
  const known = await read(disk, folder)
  let writing: Promise<unknown> = Promise.resolve()

  async function pin(peer: MemberId, diskId: string): Promise<boolean> {
    const pinned = known.get(peer)
    if (pinned !== undefined) return pinned === diskId
    if (known.size >= pinsMax) return false
    await write(disk, path, [...known, [peer, diskId]])
    await disk.syncDirectory(folder)
    known.set(peer, diskId)
    return true
  }

  return {
    approve(peer, diskId) {
      const pinned = known.get(peer)
      if (pinned !== undefined) return Promise.resolve(pinned === diskId)
      const next = writing.then(() => pin(peer, diskId))
      writing = next.catch(() => {})
      return next
    },
    async close() {
      await writing
    },
  }
}

async function write(
  disk: Disk,
  path: string,
  entries: readonly (readonly [MemberId, string])[],
): Promise<void> {
  const writer = byteWriter()
  writer.byte(version)
  writer.number(entries.length)
  for (const [peer, diskId] of entries) {
    writeId(writer, peer)
    writer.text(diskId)
  }
  const body = writer.take()
  const bytes = new Uint8Array(body.length + 4)
  bytes.set(body)
  new DataView(bytes.buffer).setUint32(body.length, crc32c(body))
  const file = await disk.open(`${path}.new`, 'create')
  try {
    await file.truncate(0)
    await file.writeAt(0, bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(`${path}.new`, path)
}

async function read(disk: Disk, folder: string): Promise<Map<MemberId, string>> {
  const known = new Map<MemberId, string>()
  if (!(await disk.list(folder)).includes(fileName)) return known
  const path = `${folder}/${fileName}`
  const file = await disk.open(path, 'read')
  let bytes: Uint8Array
  try {
    bytes = await file.readAt(0, await file.sizeBytes())
  } finally {
    await file.close()
  }
  const body = bytes.subarray(0, Math.max(0, bytes.length - 4))
  const sum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(body.length)
  if (bytes.length < 6 || sum !== crc32c(body)) {
    throw new CorruptDataError(`${path} is damaged: its checksum does not fit`)
  }
  const reader = byteReader(body)
  reader.version(path, version)
  for (let left = reader.count('peers', pinsMax); left > 0; left--) {
    known.set(readId(reader), reader.text('a disk id', 64))
  }
  reader.end(path)
  return known
}
