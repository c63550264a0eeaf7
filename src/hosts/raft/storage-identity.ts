/**
 * Whose folder this is, for good: written once, when a member is new. `diskId` is drawn then, so a folder that
 * was emptied and filled again has another one, and peers can refuse a member that has forgotten its vote.
 */
import { ConfigurationError, CorruptDataError } from '../../errors.ts'
import { byteReader, byteWriter } from '../../protocols/raft/bytes.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import {
  readConfiguration,
  readId,
  writeConfiguration,
  writeId,
} from '../../protocols/raft/entry-codec.ts'
import type { Disk } from '../../runtime/disk.ts'
import { crc32c } from '../log/checksum.ts'

export interface Identity {
  readonly id: MemberId
  /** 32 hex digits. It also names the log. */
  readonly diskId: string
  /** The first configuration, at index 0. */
  readonly bootstrap: Configuration
  /** `false` until the log has been begun: before that, nothing can have been promised. */
  readonly begun: boolean
}

const version = 1
const magic = 'holdfast raft member'
const fileName = 'identity'

/**
 * @returns `undefined` if the folder is empty.
 * @throws {CorruptDataError} it is damaged, or gone while other files are there.
 * @throws {ConfigurationError} the folder is another member's.
 */
export async function readIdentity(
  disk: Disk,
  folder: string,
  id: MemberId,
): Promise<Identity | undefined> {
  const names = await disk.list(folder)
  if (!names.includes(fileName)) {
    const others = names.filter((name) => name !== temporary)
    if (others.length === 0) return undefined
    throw new CorruptDataError(
      `${folder} has no file "${fileName}" but others (${others.slice(0, 3).join(', ')}): it is not ` +
        'a member that can be trusted, and not an empty folder to begin in',
    )
  }
  const path = `${folder}/${fileName}`
  const identity = decode(path, await readAll(disk, path))
  if (identity.id === id) return identity
  throw new ConfigurationError(`${folder} belongs to member "${identity.id}", not to "${id}"`)
}

const temporary = `${fileName}.new`

/** Beside the old one, then in its place. */
export async function writeIdentity(disk: Disk, folder: string, identity: Identity): Promise<void> {
  const file = await disk.open(`${folder}/${temporary}`, 'create')
  try {
    await file.truncate(0)
    await file.writeAt(0, encode(identity))
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(`${folder}/${temporary}`, `${folder}/${fileName}`)
  await disk.syncDirectory(folder)
}

function encode({ id, diskId, bootstrap, begun }: Identity): Uint8Array {
  const writer = byteWriter()
  writer.text(magic)
  writer.byte(version)
  writeId(writer, id)
  writer.text(diskId)
  writer.byte(begun ? 1 : 0)
  writeConfiguration(writer, bootstrap)
  const body = writer.take()
  const bytes = new Uint8Array(body.length + 4)
  bytes.set(body)
  new DataView(bytes.buffer).setUint32(body.length, crc32c(body), true)
  return bytes
}

function decode(path: string, bytes: Uint8Array): Identity {
  const body = bytes.subarray(0, Math.max(0, bytes.length - 4))
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < 4 || view.getUint32(body.length, true) !== crc32c(body)) {
    throw new CorruptDataError(`${path} is damaged: its checksum does not fit`, {
      details: { path, offset: 0 },
    })
  }
  const reader = byteReader(body)
  if (reader.text('the first words', magic.length) !== magic) {
    throw new CorruptDataError(`${path} is not the identity of a member`)
  }
  reader.version('the identity', version)
  const id = readId(reader)
  const diskId = reader.text('the disk id', 32)
  const begun = reader.byte('whether the log was begun') === 1
  const bootstrap = readConfiguration(reader)
  reader.end('the identity')
  return { id, diskId, bootstrap, begun }
}

async function readAll(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read')
  try {
    return await file.readAt(0, await file.sizeBytes())
  } finally {
    await file.close()
  }
}
