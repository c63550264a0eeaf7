/**
 * What the records of the log add up to: term, vote, commit, and where each term begins. Fed the same records
 * it is the same at a start as it was before the crash. The entries themselves are kept only at a start,
 * and only those behind the snapshot.
 */
import { CorruptDataError, InvalidArgumentError } from '../../errors.ts'
import type { RaftWrite } from '../../protocols/raft/contract.ts'
import type { Entry, MemberId } from '../../protocols/raft/entry.ts'
import type { OpeningRecord, ResetRecord, StoredRecord, WriteRecord } from './storage-record.ts'

export interface LogImage {
  term(): number
  vote(): MemberId | undefined
  commit(): number
  lastIndex(): number
  /** `undefined` outside of what the log knows. */
  termAt(index: number): number | undefined
  /** The place of the last received snapshot that replaced the log. */
  reset(): ResetRecord | undefined
  /** @throws {CorruptDataError} the record does not follow from those before it. */
  apply(record: StoredRecord): void
  opening(): OpeningRecord
  /** Hands over the entries behind `keepAfter` and keeps none from now on. */
  takeEntries(): readonly Entry[]
}

interface TermBegin {
  readonly index: number
  readonly term: number
}

const beginsMax = 16_384

/** `keepAfter`: the snapshot's index. A new log has nothing, and its first entry will be 1. */
export function logImage(keepAfter: number): LogImage {
  let term = 0
  let vote: MemberId | undefined
  let commit = 0
  let lastIndex = 0
  let begins: TermBegin[] = [{ index: 0, term: 0 }]
  let reset: ResetRecord | undefined
  let entries: Entry[] | undefined = []
  let opened = false

  function termAt(index: number): number | undefined {
    return index > lastIndex ? undefined : begins.findLast((begin) => begin.index <= index)?.term
  }

  function cut(keepUntil: number): void {
    if (keepUntil >= lastIndex) return
    lastIndex = keepUntil
    begins = begins.filter(({ index }) => index <= keepUntil)
    const first = entries?.[0]?.index
    if (entries !== undefined && first !== undefined) {
      entries.length = Math.max(0, Math.min(entries.length, keepUntil - first + 1))
    }
  }

  function applyOpening(record: OpeningRecord): void {
    if (opened) {
      const same = record.lastIndex === lastIndex && record.term === term && record.vote === vote
      if (same) return
      throw new CorruptDataError(`a segment begins at ${record.lastIndex}, not at ${lastIndex}`)
    }
    ;({ term, vote, commit, lastIndex } = record)
    // Term 0 has no entries: the last one's term was not known then either.
    const known = record.lastTerm > 0 || lastIndex === 0
    begins = known ? [{ index: lastIndex, term: record.lastTerm }] : []
  }

  function applyWrite(record: WriteRecord): void {
    ;({ term, vote, commit } = record)
    cut(record.keepUntil)
    const [first] = record.entries
    if (first === undefined) return
    if (first.index !== lastIndex + 1) {
      throw new CorruptDataError(`entry ${first.index} comes after ${lastIndex}`)
    }
    for (const entry of record.entries) {
      if (entry.term !== begins.at(-1)?.term) begins.push({ index: entry.index, term: entry.term })
      if (entry.index > keepAfter) entries?.push(entry)
    }
    lastIndex += record.entries.length
    // Only the latest terms are ever asked for.
    if (begins.length > beginsMax) begins = begins.slice(-beginsMax / 2)
  }

  function applyReset(record: ResetRecord): void {
    reset = record
    if (termAt(record.index) === record.term) return
    lastIndex = record.index
    begins = [{ index: record.index, term: record.term }]
    if (entries !== undefined) entries = []
  }

  return {
    term: () => term,
    vote: () => vote,
    commit: () => commit,
    lastIndex: () => lastIndex,
    termAt,
    reset: () => reset,
    apply(record) {
      if (record.kind === 'opening') applyOpening(record)
      else if (record.kind === 'write') applyWrite(record)
      else applyReset(record)
      opened = true
    },
    opening: () => ({
      kind: 'opening',
      term,
      vote,
      commit,
      lastIndex,
      lastTerm: termAt(lastIndex) ?? 0,
    }),
    takeEntries() {
      const taken = entries ?? []
      entries = undefined
      return taken
    },
  }
}

/** @throws {InvalidArgumentError} the writes would leave a gap: nothing of them may be written. */
export function requireNoGap(image: LogImage, batch: readonly RaftWrite[]): void {
  let last = image.lastIndex()
  for (const { keepUntil, entries } of batch) {
    last = Math.min(last, keepUntil)
    for (const { index } of entries) {
      if (index !== last + 1) throw new InvalidArgumentError(`entry ${index} comes after ${last}`)
      last = index
    }
  }
}
