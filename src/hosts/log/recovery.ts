/**
 * Opens what is in the folder: reads all segments in order, decides where the log ends, and makes that end
 * true on disk before anybody builds on it.
 *
 * The last step matters more than it seems. After a sync has failed, the page cache still shows the bytes,
 * and the kernel will never write them: a new process would read them, trust them, and lose them at the next
 * power cut. So whatever no later record proves durable is written once more and synced.
 */
import { CorruptDataError } from '../../errors.ts'
import type { Disk, DiskFile } from '../../runtime/disk.ts'
import type { LogOptions } from './contract.ts'
import { segmentPath, type Tail } from './new-segment.ts'
import { type Expected, type SegmentReader, segmentReader } from './segment-reader.ts'
import { proofBehind } from './tail.ts'

export interface RecoveredLog {
  /** Of each segment, in order, what it takes on disk. */
  readonly sizes: Map<number, number>
  readonly tail: Tail
}

interface Folder {
  readonly disk: Disk
  readonly options: LogOptions
  readonly logId: Uint8Array
}

/** @returns `undefined` if there is no log yet. @throws {CorruptDataError} */
export async function recoverLog(
  disk: Disk,
  options: LogOptions,
  logId: Uint8Array,
): Promise<RecoveredLog | undefined> {
  const where: Folder = { disk, options, logId }
  const { folder, mustExist } = options
  const numbers = await segmentsIn(disk, folder)
  const last = numbers.at(-1)
  if (last === undefined) {
    if (!mustExist) return undefined
    throw new CorruptDataError(`${folder}: the log is gone; all its segments are missing`)
  }
  const sizes = new Map<number, number>()
  let end: Expected | undefined = numbers[0] === 1 ? { sequence: 1, chain: 0 } : undefined
  for (const segment of numbers.slice(0, -1)) {
    const sealed = await readSealed(where, segment, end)
    sizes.set(segment, sealed.sizeBytes)
    end = sealed.end
  }
  const tail = await readLast(where, last, end)
  if (tail !== undefined) {
    sizes.set(last, tail.position)
    return { sizes, tail }
  }
  if (sizes.size === 0 && (mustExist || last !== 1)) {
    throw damaged(segmentPath(folder, last), 0, 'it is the first segment, and not whole')
  }
  // The power went while this segment was being made, and nothing in it was ever promised.
  await disk.remove(segmentPath(folder, last))
  await disk.syncDirectory(folder)
  return sizes.size === 0 ? undefined : { sizes, tail: await reopened(where, last - 1) }
}

/** A segment with another after it was synced to its last byte before that one was begun. */
async function readSealed(
  { disk, options, logId }: Folder,
  segment: number,
  after: Expected | undefined,
): Promise<{ readonly sizeBytes: number; readonly end: Expected }> {
  const path = segmentPath(options.folder, segment)
  const file = await disk.open(path, 'read')
  try {
    const reader = await segmentReader(file, logId, segment)
    const read = await readRecords(reader, after, options.replay, path)
    const at = read === undefined ? 0 : reader.position()
    if (read !== undefined && at === reader.sizeBytes) {
      return { sizeBytes: reader.sizeBytes, end: reader.expected() }
    }
    throw damaged(path, at, 'the next segment was begun when it was whole')
  } finally {
    await file.close()
  }
}

/** @returns `undefined` if it holds nothing at all, and never did. */
async function readLast(
  { disk, options, logId }: Folder,
  segment: number,
  after: Expected | undefined,
): Promise<Tail | undefined> {
  const path = segmentPath(options.folder, segment)
  const file = await disk.open(path, 'update')
  let tail: Tail | undefined
  try {
    const reader = await segmentReader(file, logId, segment)
    const read = await readRecords(reader, after, options.replay, path)
    const offset = read === undefined ? 0 : reader.position()
    const expected = read === undefined ? after : reader.expected()
    if (expected === undefined) throw damaged(path, 0, 'it is the first segment left')
    const place = { logId, segment, offset }
    const proof = await proofBehind(file, reader.sizeBytes, place, expected.sequence)
    if (proof !== undefined) {
      throw damaged(path, offset, `it was whole when what stands at ${proof} was written`)
    }
    if (read === undefined) return undefined
    await settle(file, reader, read.unprovenFrom)
    tail = { segment, file, start: read.start, position: offset, ...expected }
    return tail
  } finally {
    if (tail === undefined) await file.close()
  }
}

/** The segment before one that was never finished: whole, and synced before that one was begun. */
async function reopened({ disk, options, logId }: Folder, segment: number): Promise<Tail> {
  const file = await disk.open(segmentPath(options.folder, segment), 'update')
  const reader = await segmentReader(file, logId, segment)
  while ((await reader.next()) !== undefined);
  return { segment, file, start: 0, position: reader.position(), ...reader.expected() }
}

interface ReadRecords {
  /** Behind the opening. */
  readonly start: number
  /** Where the first record stands that nothing proves durable; 0 if it is the opening. */
  readonly unprovenFrom: number
}

/** @returns `undefined` if there is no header or no opening that fits. */
async function readRecords(
  reader: SegmentReader,
  after: Expected | undefined,
  replay: LogOptions['replay'],
  path: string,
): Promise<ReadRecords | undefined> {
  const { sequence, chain } = reader.expected()
  if (reader.header === undefined) return undefined
  if (after !== undefined && (after.sequence !== sequence || after.chain !== chain)) {
    return undefined
  }
  let start = 0
  let durable = 0
  let unproven: { readonly sequence: number; readonly position: number }[] = []
  for (let record = await reader.next(); record !== undefined; record = await reader.next()) {
    const { header, payload, position } = record
    if ((header.kind === 'opening') !== (start === 0)) {
      throw damaged(path, position, 'an opening is the first record, and no other')
    }
    if (header.kind !== 'mark') replay({ kind: header.kind, payload, segment: reader.segment })
    if (header.durable > durable) {
      durable = header.durable
      unproven = unproven.filter((one) => one.sequence > durable)
    }
    unproven.push({ sequence: header.sequence, position: start === 0 ? 0 : position })
    if (start === 0) start = reader.position()
  }
  if (start === 0) return undefined
  return { start, unprovenFrom: unproven[0]?.position ?? reader.position() }
}

const copyBytes = 1_048_576

/** See the top of this file. */
async function settle(file: DiskFile, reader: SegmentReader, from: number): Promise<void> {
  const end = reader.position()
  if (reader.sizeBytes > end) await file.truncate(end)
  for (let at = from; at < end; at += copyBytes) {
    await file.writeAt(at, await file.readAt(at, Math.min(copyBytes, end - at)))
  }
  await file.sync()
}

async function segmentsIn(disk: Disk, folder: string): Promise<readonly number[]> {
  const numbers = (await disk.list(folder))
    .filter((name) => /^\d{16}\.log$/.test(name))
    .map((name) => Number(name.slice(0, 16)))
  for (const [order, number] of numbers.entries()) {
    const expected = (numbers[0] ?? 0) + order
    if (number === expected) continue
    throw new CorruptDataError(`${segmentPath(folder, expected)} is missing; later ones are there`)
  }
  return numbers
}

function damaged(path: string, offset: number, why: string): CorruptDataError {
  return new CorruptDataError(
    `${path} is damaged at byte ${offset}: ${why}. Nothing was changed. Going on without what was ` +
      'there would break promises: leave this folder alone and begin anew from the other copies',
    { details: { path, offset } },
  )
}
