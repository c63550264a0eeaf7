/**
 * Keeps the write-ahead log short. SQLite copies it into the file every 1,000 pages but never makes
 * it smaller; here it is cut back to nothing when the file is quiet, and when it has grown large. A
 * failure loses nothing: the log stays, and the next look tries again.
 */
import { statSync } from 'node:fs'
import type { SyncDatabase } from '../sqlite.ts'

export interface WalKeeper {
  /** A commit was made. */
  grew(): void
  cutBack(): void
  stop(): void
}

/** Cut back when the file has been quiet this long and the log is larger than this … */
const quietMs = 500
const quietBytes = 1_048_576
/** … tried again after twice the time, this often, while a reader elsewhere is in the way; */
const triesMax = 8
/** … and between two commits when it is larger than this, looked at every so many commits. */
const largeBytes = 67_108_864
const commitsBetweenLooks = 128

export function walKeeper(path: string, database: () => SyncDatabase): WalKeeper {
  let quiet: NodeJS.Timeout | undefined
  let commits = 0

  function cutBack(): boolean {
    try {
      // A reader of another process keeps it from finishing; it does not wait for one.
      const [row] = database().prepare('PRAGMA wal_checkpoint(TRUNCATE)').run([]).rows
      return Number(row?.busy) === 0
    } catch {
      return false // busy or no space: the log stays as it is, and everything is still in it
    }
  }

  function waitForQuiet(delayMs: number, triesLeft: number): void {
    quiet = setTimeout(() => {
      quiet = undefined
      if (sizeBytes() <= quietBytes || cutBack() || triesLeft === 0) return
      waitForQuiet(delayMs * 2, triesLeft - 1)
    }, delayMs)
  }

  const sizeBytes = (): number => statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0

  return {
    grew() {
      commits++
      if (commits % commitsBetweenLooks === 0 && sizeBytes() > largeBytes) cutBack()
      if (quiet) quiet.refresh()
      else waitForQuiet(quietMs, triesMax)
    },
    cutBack: () => void cutBack(),
    stop: () => clearTimeout(quiet),
  }
}
