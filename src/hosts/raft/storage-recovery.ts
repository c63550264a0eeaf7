/**
 * What a member knows when it starts: the newest whole snapshot and the log behind it. Anything that does not
 * add up is refused, because a member that forgot a vote or an acknowledged entry breaks the promises of
 * the others, too; one that does not start breaks none.
 */
import { CorruptDataError } from '../../errors.ts'
import type { RestoredState } from '../../protocols/raft/contract.ts'
import type { Entry, SnapshotMark } from '../../protocols/raft/entry.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { WriteAheadLog } from '../log/contract.ts'
import { openLog } from '../log/log.ts'
import type { RaftStorageOptions } from './storage-contract.ts'
import { type Identity, readIdentity, writeIdentity } from './storage-identity.ts'
import { type LogImage, logImage } from './storage-image.ts'
import { decodeRecord, encodeRecord } from './storage-record.ts'
import { checkSnapshot, removeLeftovers, snapshotPath, snapshotsIn } from './storage-snapshots.ts'

export interface Recovered {
  readonly diskId: string
  readonly folders: Folders
  readonly restored: RestoredState
  readonly image: LogImage
  readonly log: WriteAheadLog
  /** For each segment that is no longer written: the last index of the log when it ended. */
  readonly segmentEnds: Map<number, number>
}

interface Folders {
  readonly log: string
  readonly snapshots: string
}

export async function recoverStorage(
  runtime: Runtime,
  { folder, id, bootstrap, segmentBytes }: RaftStorageOptions,
): Promise<Recovered> {
  const { disk } = runtime
  const folders: Folders = { log: `${folder}/log`, snapshots: `${folder}/snapshots` }
  await disk.makeDirectory(folder)
  await disk.syncDirectory(parentOf(folder))
  await disk.syncDirectory(folder)
  let identity = await readIdentity(disk, folder, id)
  if (identity === undefined) {
    identity = { id, diskId: runtime.random.id('raft disk'), bootstrap, begun: false }
    await writeIdentity(disk, folder, identity)
  }
  await disk.makeDirectory(folders.log)
  await disk.makeDirectory(folders.snapshots)
  await disk.syncDirectory(folder)
  await disk.syncDirectory(folders.snapshots)
  if (!identity.begun) await removeAll(disk, folders.log)

  const best = await newestSnapshot(disk, folders.snapshots, identity)
  const image = logImage(best.mark.index)
  const segmentEnds = new Map<number, number>()
  let reading = 0
  const log = await openLog(disk, {
    folder: folders.log,
    logId: identity.diskId,
    mustExist: identity.begun,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    opening: () => encodeRecord(image.opening()),
    replay({ payload, segment }) {
      if (reading > 0 && reading !== segment) segmentEnds.set(reading, image.lastIndex())
      reading = segment
      image.apply(decodeRecord(payload))
    },
  })
  try {
    if (!identity.begun) await writeIdentity(disk, folder, { ...identity, begun: true })
    const snapshot = await adoptSaid(disk, folders.snapshots, image, best.mark)
    const restored = restoredState(image, snapshot, best.needsIndex, folders)
    return { diskId: identity.diskId, folders, restored, image, log, segmentEnds }
  } catch (error) {
    await log.close()
    throw error
  }
}

interface BestSnapshot {
  readonly mark: SnapshotMark
  /** The log must reach this: a newer snapshot was there, and is damaged. */
  readonly needsIndex: number
}

async function newestSnapshot(
  disk: Disk,
  folder: string,
  { bootstrap }: Identity,
): Promise<BestSnapshot> {
  const places = await snapshotsIn(disk, folder)
  const [newest] = places
  if (newest === undefined) {
    return { mark: { index: 0, term: 0, configuration: bootstrap }, needsIndex: 0 }
  }
  let damage: unknown
  for (const place of places) {
    try {
      const mark = await checkSnapshot(disk, snapshotPath(folder, place), place)
      return { mark, needsIndex: newest.index }
    } catch (error) {
      if (!(error instanceof CorruptDataError)) throw error
      damage ??= error
    }
  }
  throw damage
}

/** The log may say that a received snapshot was adopted, and a crash came before it had its name. */
async function adoptSaid(
  disk: Disk,
  folder: string,
  image: LogImage,
  best: SnapshotMark,
): Promise<SnapshotMark> {
  const said = image.reset()
  const received = said && snapshotPath(folder, said, '.received')
  await removeLeftovers(disk, folder, (name) => received === `${folder}/${name}`)
  if (said === undefined || received === undefined || said.index <= best.index) return best
  const there = (await disk.list(folder)).some((name) => received === `${folder}/${name}`)
  if (!there) {
    throw new CorruptDataError(
      `${folder}: the log goes on after a snapshot at ${said.index}, and that is not there`,
    )
  }
  const mark = await checkSnapshot(disk, received, said)
  await disk.rename(received, snapshotPath(folder, said))
  await disk.syncDirectory(folder)
  return mark
}

function restoredState(
  image: LogImage,
  snapshot: SnapshotMark,
  needsIndex: number,
  folders: Folders,
): RestoredState {
  const last = image.lastIndex()
  const entries = image.takeEntries().filter(({ index }) => index > snapshot.index)
  if (last < Math.max(snapshot.index, needsIndex)) {
    throw doesNotReach(folders, `ends at ${last}, before what it must reach`, snapshot, needsIndex)
  }
  requireRun(entries, snapshot, last, folders, needsIndex)
  const term = image.termAt(snapshot.index)
  if (term !== undefined && term !== snapshot.term) {
    throw doesNotReach(folders, `has entry ${snapshot.index} of term ${term}`, snapshot, needsIndex)
  }
  const commit = Math.max(snapshot.index, Math.min(image.commit(), last))
  return { term: image.term(), vote: image.vote(), snapshot, entries, commit }
}

/** From the snapshot to the end, each one. */
function requireRun(
  entries: readonly Entry[],
  snapshot: SnapshotMark,
  last: number,
  folders: Folders,
  needsIndex: number,
): void {
  const whole = entries.every(({ index }, order) => index === snapshot.index + 1 + order)
  if (whole && entries.length === last - snapshot.index) return
  const first = entries[0]?.index ?? last + 1
  throw doesNotReach(folders, `begins at ${first}`, snapshot, needsIndex)
}

function doesNotReach(
  folders: Folders,
  what: string,
  { index, term }: SnapshotMark,
  needsIndex: number,
): CorruptDataError {
  const damaged = needsIndex > index ? `; a newer one at ${needsIndex} is damaged` : ''
  return new CorruptDataError(
    `${folders.log}: the log ${what}. The newest whole snapshot is at ${index} of term ${term}` +
      `${damaged}. The member must rejoin as a new one, with an empty folder`,
    { details: { path: folders.log, snapshot: index, needsIndex } },
  )
}

async function removeAll(disk: Disk, folder: string): Promise<void> {
  for (const name of await disk.list(folder)) await disk.remove(`${folder}/${name}`)
  await disk.syncDirectory(folder)
}

function parentOf(folder: string): string {
  const slash = folder.replace(/\/+$/, '').lastIndexOf('/')
  if (slash < 0) return '.'
  return slash === 0 ? '/' : folder.slice(0, slash)
}
