/**
 * Who keeps the write lock? SQLite does not know, but Linux lists every file lock with its process,
 * and the write lock of a write-ahead log is byte 120 of the `-shm` file
 * (https://sqlite.org/walformat.html#locks). Best effort: another system, a container with its own
 * process numbers, or a lock that was just freed give no name.
 */
import { readFileSync, statSync } from 'node:fs'

const writeLockByte = 120

export function writeLockHolder(path: string): number | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const { ino } = statSync(`${path}-shm`, { bigint: true })
    return holderIn(readFileSync('/proc/locks', 'utf8'), ino)
  } catch {
    return undefined
  }
}

/** Reads lines such as `3: POSIX  ADVISORY  WRITE 4711 fe:00:131 120 120`. */
export function holderIn(locks: string, inode: bigint): number | undefined {
  for (const line of locks.split('\n')) {
    const [, kind, , access, pid, file, first, last] = line.trim().split(/\s+/)
    if (kind !== 'POSIX' || access !== 'WRITE' || !file?.endsWith(`:${inode}`)) continue
    const covers =
      Number(first) <= writeLockByte && (last === 'EOF' || Number(last) >= writeLockByte)
    if (covers && Number(pid) > 0) return Number(pid)
  }
  return undefined
}
