/**
 * Reads of several keys as of one instant. With versions that grow by key, every two snapshots can be
 * compared: one is the older in all keys (else the history forked). A write of several keys is in a snapshot whole
 * or not at all. And, where real time counts, a snapshot taken later is not older.
 */
import { type CheckReport, findings } from './findings.ts'

export interface Snapshot {
  /** The version of each key, 0 if it was never written. All snapshots hold the same keys. */
  readonly versions: readonly number[]
  readonly calledAt: number
  readonly returnedAt: number
}

/** The versions that one transaction wrote, by the number of the key. */
export type WrittenTogether = ReadonlyMap<number, number>

export type SnapshotFinding = 'fork' | 'torn' | 'went back'

/** @param realtime default true */
export function checkSnapshots(
  snapshots: readonly Snapshot[],
  writes: readonly WrittenTogether[] = [],
  realtime = true,
): CheckReport<SnapshotFinding> {
  const found = findings<SnapshotFinding>()
  // If all can be compared, the sum of versions puts them in order, and neighbours suffice.
  const bySum = snapshots.map((snapshot) => ({ snapshot, sum: sum(snapshot.versions) }))
  bySum.sort((a, b) => a.sum - b.sum)
  bySum.forEach(({ snapshot }, index) => {
    const before = bySum[index - 1]?.snapshot
    if (before !== undefined && !notOlder(snapshot, before)) {
      found.add('fork', `[${before.versions}] and [${snapshot.versions}] cannot be ordered`)
    }
  })
  for (const { versions } of snapshots) {
    for (const write of writes) {
      const seen = Array.from(write, ([key, version]) => (versions[key] ?? 0) >= version)
      if (seen.includes(true) && seen.includes(false)) {
        found.add('torn', `[${versions}] holds half of a write`)
      }
    }
  }
  if (realtime) {
    const byCall = [...snapshots].sort((a, b) => a.calledAt - b.calledAt)
    const byReturn = [...snapshots].sort((a, b) => a.returnedAt - b.returnedAt)
    const seen: number[] = []
    let returned = 0
    for (const { versions, calledAt } of byCall) {
      for (let old = byReturn[returned]; old !== undefined && old.returnedAt < calledAt; ) {
        old.versions.forEach((version, key) => {
          seen[key] = Math.max(version, seen[key] ?? 0)
        })
        returned += 1
        old = byReturn[returned]
      }
      if (versions.some((version, key) => version < (seen[key] ?? 0))) {
        found.add('went back', `[${versions}] is older than what had been read`)
      }
    }
  }
  return found.report(snapshots.length > 0)
}

function sum(versions: readonly number[]): number {
  return versions.reduce((total, version) => total + version, 0)
}

function notOlder(one: Snapshot, other: Snapshot): boolean {
  return one.versions.every((version, key) => version >= (other.versions[key] ?? 0))
}
