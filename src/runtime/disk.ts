/**
 * Files with the truth about durability: a write is in the page cache until `sync` returns, and a new
 * or renamed name is not durable until `syncDirectory` of its folder returns. After a machine crash
 * any subset of unsynced sectors may be there, torn or in another order.
 *
 * Paths use `/`. Failures are `UnavailableError` (not found, no space, refused: nothing happened) or
 * `OutcomeUnknownError` (a write or sync failed part way: assume any of it may be on disk, and never
 * retry a failed `sync`, because the kernel may have dropped the pages).
 */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>
  /** Replaces the target atomically. */
  rename(source: string, target: string): Promise<void>
  /** @returns `false` if there was no such file. */
  remove(path: string): Promise<boolean>
  /** Names in the folder, sorted; empty if there is no such folder. */
  list(path: string): Promise<readonly string[]>
  /** Creates the folder and its parents. */
  makeDirectory(path: string): Promise<void>
  syncDirectory(path: string): Promise<void>
}

/** `read`: must exist. `update`: must exist. `create`: created if absent, else kept as it is. */
export type OpenMode = 'read' | 'update' | 'create'

export interface DiskFile {
  /** Reads up to `length` bytes; fewer only at the end of the file. */
  readAt(position: number, length: number): Promise<Uint8Array>
  /** Writes all bytes or throws. Past the end, the gap reads as zeros. */
  writeAt(position: number, bytes: Uint8Array): Promise<void>
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  sizeBytes(): Promise<number>
  close(): Promise<void>
}
