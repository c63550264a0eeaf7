/**
 * The end of the log that is being written: one group, one write, one sync. When a write is refused the tail
 * is made clean again; when a sync fails there is no telling what is on disk, and the log takes nothing more.
 */
import {
  InvalidArgumentError,
  OutcomeUnknownError,
  outcomeOf,
  UnavailableError,
} from '../../errors.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { LogOptions, WriteAheadLog } from './contract.ts'
import { encodeRecord, payloadBytesMax, type RecordKind, recordBytes } from './format.ts'
import { newSegment, segmentPath, type Tail } from './new-segment.ts'
import { recoverLog } from './recovery.ts'

/**
 * Opens the log of a folder, or begins one.
 * @throws {CorruptDataError} there is damage that no crash explains; `details` has `path` and `offset`.
 * @throws {FormatTooNewError} @throws {UnavailableError} @throws {OutcomeUnknownError}
 */
export async function openLog(disk: Disk, options: LogOptions): Promise<WriteAheadLog> {
  const { folder, segmentBytes = 67_108_864 } = options
  if (!Number.isSafeInteger(segmentBytes) || segmentBytes < 4_096 || segmentBytes > 2 ** 40) {
    throw new InvalidArgumentError(`segmentBytes is ${segmentBytes}; expected 4096 to 2^40`)
  }
  const logId = idBytes(options.logId)
  await disk.makeDirectory(folder)
  // Names seen here may not be durable yet, and from now on they are relied upon.
  await disk.syncDirectory(folder)
  const found = await recoverLog(disk, options, logId)
  const tail =
    found?.tail ??
    (await newSegment(disk, {
      folder,
      logId,
      segment: 1,
      sequence: 1,
      chain: 0,
      opening: options.opening(),
    }))
  const sizes = found?.sizes ?? new Map([[tail.segment, tail.position]])
  return writableLog(disk, { ...options, segmentBytes }, logId, tail, sizes)
}

function writableLog(
  disk: Disk,
  options: LogOptions & { readonly segmentBytes: number },
  logId: Uint8Array,
  end: Tail,
  sizes: Map<number, number>,
): WriteAheadLog {
  const { folder, segmentBytes } = options
  let tail = end
  /** Every record up to this sequence is durable. */
  let durable = end.sequence - 1
  let failure: OutcomeUnknownError | undefined
  let closed = false
  let turn: Promise<unknown> = Promise.resolve()

  function inTurn(work: () => Promise<void>): Promise<void> {
    const done = turn.then(work)
    turn = done.catch(() => undefined)
    return done
  }

  function requireUsable(): void {
    if (closed) throw new UnavailableError(`${folder}: the log is closed`)
    if (failure === undefined) return
    throw new UnavailableError(`${folder}: the log has failed before`, { cause: failure })
  }

  function failed(what: string, cause: unknown): OutcomeUnknownError {
    failure = new OutcomeUnknownError(`${folder}: ${what}; open the log anew`, { cause })
    return failure
  }

  async function append(records: readonly Uint8Array[], sync: boolean): Promise<void> {
    requireUsable()
    for (const { length } of records) requirePayload(length)
    const size = sizeOf(records)
    // A group larger than a segment gets one of its own.
    if (tail.position + size > segmentBytes && size > 0 && tail.position > tail.start) await roll()
    if (size > 0) await writeGroup('data', records, size)
    if (sync) await syncTail()
  }

  async function writeGroup(
    kind: RecordKind,
    records: readonly Uint8Array[],
    size: number,
  ): Promise<void> {
    const group = new Uint8Array(size)
    const chain = encodeGroup(group, kind, records, { tail, logId, durable })
    try {
      await tail.file.writeAt(tail.position, group)
    } catch (cause) {
      if (outcomeOf(cause) !== 'not-applied') await takeBack(cause)
      throw new UnavailableError(`${folder}: nothing was written`, { cause })
    }
    const { position, sequence } = tail
    tail = { ...tail, position: position + size, sequence: sequence + records.length, chain }
    sizes.set(tail.segment, tail.position)
  }

  /** Part of a group may have been written. It is taken back for certain, or the log has failed. */
  async function takeBack(error: unknown): Promise<void> {
    try {
      await tail.file.truncate(tail.position)
      await tail.file.sync()
    } catch {
      throw failed('a write failed and could not be taken back', error)
    }
    durable = tail.sequence - 1
  }

  async function syncTail(): Promise<void> {
    if (durable === tail.sequence - 1) return
    try {
      await tail.file.sync()
    } catch (cause) {
      throw failed('a sync failed, and what it covered may or may not be durable', cause)
    }
    durable = tail.sequence - 1
  }

  /** The old segment is durable to its last byte before the name of the new one exists. */
  async function roll(): Promise<void> {
    await syncTail()
    const { file, sequence, chain } = tail
    const segment = tail.segment + 1
    const opening = options.opening()
    try {
      tail = await newSegment(disk, { folder, logId, segment, sequence, chain, opening })
    } catch (cause) {
      if (outcomeOf(cause) === 'not-applied') throw cause
      throw failed('a new segment may or may not be there', cause)
    }
    sizes.set(segment, tail.position)
    durable = tail.sequence - 1
    await file.close()
  }

  async function removeBefore(segment: number): Promise<void> {
    requireUsable()
    for (const number of [...sizes.keys()].sort((a, b) => a - b)) {
      if (number >= Math.min(segment, tail.segment)) break
      await disk.remove(segmentPath(folder, number))
      // One by one, so that no crash can leave a hole among those that stay.
      await disk.syncDirectory(folder)
      sizes.delete(number)
    }
  }

  /** The mark only helps to find rot later: all that was promised is durable without it. */
  async function writeMark(): Promise<void> {
    const mark = [new Uint8Array(0)]
    await syncTail()
    await writeGroup('mark', mark, sizeOf(mark))
    await syncTail()
  }

  async function close(): Promise<void> {
    if (closed) return
    if (failure === undefined) await writeMark().catch(() => undefined)
    closed = true
    await tail.file.close()
  }

  return {
    append: (records, { sync }) => inTurn(() => append(records, sync)),
    segment: () => tail.segment,
    removeBefore: (segment) => inTurn(() => removeBefore(segment)),
    sizeBytes: () => [...sizes.values()].reduce((sum, size) => sum + size, 0),
    close: () => inTurn(close),
  }
}

interface GroupPlace {
  readonly tail: Tail
  readonly logId: Uint8Array
  readonly durable: number
}

/** @returns the checksum of the last record. */
function encodeGroup(
  group: Uint8Array,
  kind: RecordKind,
  records: readonly Uint8Array[],
  { tail, logId, durable }: GroupPlace,
): number {
  let { sequence, chain } = tail
  let at = 0
  for (const payload of records) {
    const place = { logId, segment: tail.segment, offset: tail.position + at }
    chain = encodeRecord(group, at, { kind, sequence, durable, chain }, payload, place)
    at += recordBytes(payload.length)
    sequence++
  }
  return chain
}

function sizeOf(records: readonly Uint8Array[]): number {
  return records.reduce((sum, { length }) => sum + recordBytes(length), 0)
}

function requirePayload(length: number): void {
  if (length <= payloadBytesMax) return
  throw new InvalidArgumentError(
    `a record has ${length} bytes; expected at most ${payloadBytesMax}`,
  )
}

function idBytes(logId: string): Uint8Array {
  if (!/^[0-9a-f]{32}$/.test(logId)) {
    throw new InvalidArgumentError(`logId is ${JSON.stringify(logId)}; expected 32 hex digits`)
  }
  const digits = logId.match(/../g) ?? []
  return Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16))
}
