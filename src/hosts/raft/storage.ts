/**
 * A member's memory in one folder: `identity`, whose it is; `log/`, what was decided; `snapshots/`, what it
 * came to. Each of the three rests on the one before: nothing is promised before the log is begun,
 * and the log lets go only of what a durable snapshot holds.
 */
import { InvalidArgumentError, OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { RaftWrite } from '../../protocols/raft/contract.ts'
import type { SnapshotMark } from '../../protocols/raft/entry.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { WriteAheadLog } from '../log/contract.ts'
import type {
  RaftStorage,
  RaftStorageOptions,
  SnapshotReceiver,
  StoredSnapshot,
} from './storage-contract.ts'
import { requireNoGap } from './storage-image.ts'
import { type IncomingFile, incomingFile } from './storage-receive.ts'
import { encodeRecord, encodeWrite, type StoredRecord } from './storage-record.ts'
import { type Recovered, recoverStorage } from './storage-recovery.ts'
import { writeSnapshot } from './storage-snapshot-format.ts'
import { checkSnapshot, openSnapshot, removeOlder, snapshotPath } from './storage-snapshots.ts'

/**
 * Opens a member's folder, or begins in an empty one.
 * @throws {CorruptDataError} what is there cannot all be believed; `details` may have `path` and `offset`.
 * @throws {ConfigurationError} the folder is another member's. @throws {FormatTooNewError}
 */
export async function raftStorage(
  runtime: Runtime,
  options: RaftStorageOptions,
): Promise<RaftStorage> {
  return openedStorage(runtime, await recoverStorage(runtime, options))
}

function openedStorage(runtime: Runtime, recovered: Recovered): RaftStorage {
  const { disk } = runtime
  const { image, log, segmentEnds, folders, restored, diskId } = recovered
  let snapshot: SnapshotMark = restored.snapshot
  let incoming: IncomingFile | undefined
  let failure: OutcomeUnknownError | undefined

  function requireUsable(): void {
    if (failure === undefined) return
    throw new UnavailableError('the storage has failed before', { cause: failure })
  }

  async function append(
    records: readonly StoredRecord[],
    encoded: Uint8Array[],
    sync: boolean,
  ): Promise<void> {
    const segment = log.segment()
    const lastIndex = image.lastIndex()
    try {
      await log.append(encoded, { sync })
    } finally {
      if (log.segment() !== segment) segmentEnds.set(segment, lastIndex)
    }
    for (const record of records) image.apply(record)
  }

  async function write(batch: readonly RaftWrite[]): Promise<void> {
    requireUsable()
    requireNoGap(image, batch)
    const records = batch.map((one): StoredRecord => ({ kind: 'write', ...one }))
    const sync = batch.some((one) => one.sync)
    await append(records, batch.flatMap(encodeWrite), sync)
  }

  /** What another member's snapshot does to the log. Nothing, if that is what the log says already. */
  async function reset({ index, term }: SnapshotMark): Promise<void> {
    const last = image.reset()
    if (last?.index === index && last.term === term) return
    const record: StoredRecord = { kind: 'reset', index, term }
    await append([record], [encodeRecord(record)], true)
  }

  /** From here on it is the member's own. A failure leaves it open which of the two is. */
  async function putInPlace(source: string, mark: SnapshotMark): Promise<void> {
    try {
      await disk.rename(source, snapshotPath(folders.snapshots, mark))
      await disk.syncDirectory(folders.snapshots)
    } catch (cause) {
      failure = new OutcomeUnknownError('a snapshot may or may not be in place', { cause })
      throw failure
    }
    snapshot = mark
    // One that stays behind costs space and nothing else.
    await removeOlder(disk, folders.snapshots, mark.index).catch(() => undefined)
  }

  async function saveSnapshot(mark: SnapshotMark, pieces: Iterable<Uint8Array>): Promise<void> {
    requireUsable()
    if (mark.index <= snapshot.index) return
    if (image.termAt(mark.index) !== mark.term) {
      throw new InvalidArgumentError(
        `the log has no entry ${mark.index} of term ${mark.term}; it ends at ${image.lastIndex()}`,
      )
    }
    const path = snapshotPath(folders.snapshots, mark, '.new')
    try {
      await writeNew(disk, path, mark, pieces, runtime.random.bytes('raft snapshot', 16))
    } catch (cause) {
      await disk.remove(path).catch(() => undefined)
      if (cause instanceof InvalidArgumentError) throw cause
      throw new UnavailableError(`no snapshot at ${mark.index} could be saved`, { cause })
    }
    // A received one may have been adopted meanwhile.
    if (mark.index > snapshot.index) await putInPlace(path, mark)
    else await disk.remove(path)
  }

  async function receiveSnapshot(mark: SnapshotMark): Promise<SnapshotReceiver> {
    requireUsable()
    if (incoming === undefined || !incoming.isOpen() || !sameMark(incoming.mark, mark)) {
      // One that has come whole is its receiver's, to adopt or to abandon.
      if (incoming?.isOpen()) await incoming.drop()
      incoming = undefined
      incoming = await incomingFile(disk, folders.snapshots, mark)
    }
    return receiver(incoming)
  }

  function receiver(file: IncomingFile): SnapshotReceiver {
    const turn = file.takeOver()
    return {
      position: file.position(),
      accept: (position, bytes) => file.accept(turn, position, bytes),
      finish: (sizeBytes) => file.finish(turn, sizeBytes),
      abandon: () => file.drop(),
      async adopt() {
        requireUsable()
        const source = await file.release(turn)
        if (file.mark.index <= snapshot.index) {
          await disk.remove(source)
          return
        }
        // Said in the log first: a start that finds this record puts the file in place itself.
        await reset(file.mark)
        await putInPlace(source, file.mark)
      },
    }
  }

  return {
    restored,
    diskId,
    write,
    saveSnapshot,
    receiveSnapshot,
    async readSnapshot(): Promise<StoredSnapshot | undefined> {
      if (snapshot.index === 0) return undefined
      return openSnapshot(disk, snapshotPath(folders.snapshots, snapshot))
    },
    async compact(mark, keepFrom) {
      requireUsable()
      if (mark.index > snapshot.index || keepFrom > mark.index + 1) {
        throw new InvalidArgumentError(
          `compact(${mark.index}, ${keepFrom}): the snapshot in place is at ${snapshot.index}`,
        )
      }
      await letGo(log, segmentEnds, keepFrom)
    },
    async resetLog(mark) {
      requireUsable()
      if (mark.index > snapshot.index) {
        throw new InvalidArgumentError(`no snapshot at ${mark.index} is in place`)
      }
      if (image.termAt(mark.index) !== mark.term) await reset(mark)
    },
    sizeBytes: () => log.sizeBytes(),
    async close() {
      await incoming?.drop()
      await log.close()
    },
  }
}

/** A segment may go if what the log held at its end was all below `keepFrom`. */
async function letGo(
  log: WriteAheadLog,
  segmentEnds: Map<number, number>,
  keepFrom: number,
): Promise<void> {
  const segments = [...segmentEnds].sort(([a], [b]) => a - b)
  const kept = segments.find(([, lastIndex]) => lastIndex >= keepFrom)?.[0] ?? log.segment()
  if (segments.every(([segment]) => segment >= kept)) return
  await log.removeBefore(kept)
  for (const [segment] of segments) if (segment < kept) segmentEnds.delete(segment)
}

async function writeNew(
  disk: Disk,
  path: string,
  mark: SnapshotMark,
  pieces: Iterable<Uint8Array>,
  id: Uint8Array,
): Promise<void> {
  const file = await disk.open(path, 'create')
  try {
    await file.truncate(0)
    await writeSnapshot(file, mark, pieces, id)
    await file.sync()
  } finally {
    await file.close()
  }
  await checkSnapshot(disk, path, mark)
}

function sameMark(a: SnapshotMark, b: SnapshotMark): boolean {
  return a.index === b.index && a.term === b.term
}
