/**
 * The log as it stands in memory, and how far the disk has followed it.
 *
 * Three marks run behind the end: `taken`, what was handed out to be written; `durable`, what the disk has
 * confirmed; and, outside, the commit index. Cutting the tail takes `taken` and `durable` back, and with
 * them every write still on its way: an entry that was cut and came again with the same index and term is
 * a new entry to the disk, and a confirmation of the old one says nothing about it.
 */
import type { Entry, SnapshotMark } from './entry.ts'

export interface Log {
  /** The entry before `entries[0]`: the last one forgotten. */
  baseIndex: number
  baseTerm: number
  readonly entries: Entry[]
  /** The newest snapshot; at least `baseIndex`. */
  snapshot: SnapshotMark
  durable: number
  taken: number
  /** The tail was cut since the last write was handed out. */
  cutDue: boolean
  /** How often the tail was cut, for judges and people. */
  cuts: number
  readonly writes: PendingWrite[]
}

export interface PendingWrite {
  readonly ticket: number
  /** Of the entries it wrote, the last that are still in the log; goes back when the tail is cut. */
  lastIndex: number
}

export function lastIndexOf(log: Log): number {
  return log.baseIndex + log.entries.length
}

export function lastTermOf(log: Log): number {
  return log.entries[log.entries.length - 1]?.term ?? log.baseTerm
}

/** `undefined` for what is not there: before the base, or past the end. */
export function termAt(log: Log, index: number): number | undefined {
  if (index === log.baseIndex) return log.baseTerm
  if (index === log.snapshot.index) return log.snapshot.term
  return log.entries[index - log.baseIndex - 1]?.term
}

export function entryAt(log: Log, index: number): Entry | undefined {
  return log.entries[index - log.baseIndex - 1]
}

/** Entries of `from` to `to`, both included. */
export function entriesBetween(log: Log, from: number, to: number): Entry[] {
  return log.entries.slice(Math.max(0, from - log.baseIndex - 1), to - log.baseIndex)
}

/** Forgets the entries from `index` on, here and in what is on its way to the disk. */
export function cutFrom(log: Log, index: number): void {
  log.entries.length = index - log.baseIndex - 1
  takeBack(log, index - 1)
  log.cutDue = true
  log.cuts += 1
}

/** Nothing beyond `index` counts as written any more. */
function takeBack(log: Log, index: number): void {
  log.taken = Math.min(log.taken, index)
  log.durable = Math.min(log.durable, index)
  for (const write of log.writes) write.lastIndex = Math.min(write.lastIndex, index)
}

/** All writes up to `ticket` are on the disk. */
export function confirmWrites(log: Log, ticket: number): void {
  let count = 0
  for (const write of log.writes) {
    if (write.ticket > ticket) break
    log.durable = Math.max(log.durable, write.lastIndex)
    count += 1
  }
  log.writes.splice(0, count)
}

/**
 * The largest index up to `index` whose term is at most `term`: where two logs may still agree, if the
 * other one has `term` at `index`. Terms never fall along a log, so it is found by halving.
 */
export function agreementBefore(log: Log, index: number, term: number): number {
  let low = log.baseIndex
  let high = Math.min(index, lastIndexOf(log))
  if (high < low) return high
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((termAt(log, middle) ?? 0) <= term) low = middle
    else high = middle - 1
  }
  return low
}

/** Forgets entries before `keepFrom`; they are in the snapshot. */
export function forgetBefore(log: Log, keepFrom: number): void {
  if (keepFrom <= log.baseIndex + 1) return
  const baseTerm = termAt(log, keepFrom - 1)
  if (baseTerm === undefined) return
  log.entries.splice(0, keepFrom - 1 - log.baseIndex)
  log.baseIndex = keepFrom - 1
  log.baseTerm = baseTerm
}

/** The whole log is void; a snapshot stands in its place. */
export function resetTo(log: Log, mark: SnapshotMark): void {
  log.entries.length = 0
  takeBack(log, 0)
  log.baseIndex = mark.index
  log.baseTerm = mark.term
  log.snapshot = mark
  log.durable = mark.index
  log.taken = mark.index
  log.cutDue = false
  log.cuts += 1
}

/** Counted for each entry besides its command, so that empty commands have a limit, too. */
const entryOverheadBytes = 24

export function entryBytes(entry: Entry): number {
  if (entry.kind === 'command') return entry.data.length + entryOverheadBytes
  if (entry.kind === 'empty') return entryOverheadBytes
  const { voters, outgoing, learners, retired } = entry.configuration
  const names = voters.length + outgoing.length + 2 * learners.length + retired.length
  return entryOverheadBytes + 64 * names
}
