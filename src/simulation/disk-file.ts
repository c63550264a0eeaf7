/**
 * One file as the page cache sees it and as the platter does: the content that everybody reads, the
 * content that is safe, and the writes between the two.
 */
import type { Draws } from './chance.ts'

export interface FileNode {
  read(position: number, length: number): Uint8Array
  write(position: number, bytes: Uint8Array): void
  truncate(sizeBytes: number): void
  sizeBytes(): number
  /** @returns whether there was anything to make safe. */
  sync(): boolean
  /** Keeps what is safe and a drawn part of the rest. */
  crash(draws: Draws): void
}

/** A write, or a truncation to `sizeBytes`. */
type Change =
  | { readonly position: number; readonly bytes: Uint8Array }
  | { readonly sizeBytes: number }

/** Bytes that grow by doubling. */
interface Content {
  bytes: Uint8Array
  size: number
}

const sectorBytes = 512

export function fileNode(): FileNode {
  const seen: Content = { bytes: new Uint8Array(0), size: 0 }
  const safe: Content = { bytes: new Uint8Array(0), size: 0 }
  let unsynced: Change[] = []

  function change(entry: Change): void {
    apply(seen, entry)
    unsynced.push(entry)
  }

  return {
    read: (position, length) =>
      seen.bytes.slice(position, Math.max(position, Math.min(seen.size, position + length))),
    write: (position, bytes) => change({ position, bytes }),
    truncate: (sizeBytes) => change({ sizeBytes }),
    sizeBytes: () => seen.size,
    sync() {
      const some = unsynced.length > 0
      for (const entry of unsynced) apply(safe, entry)
      unsynced = []
      return some
    },
    crash(draws) {
      for (const entry of survivors(unsynced, draws)) apply(safe, entry)
      unsynced = []
      seen.bytes = safe.bytes.slice()
      seen.size = safe.size
    },
  }
}

/** What of the unsynced writes reached the platter: a prefix, or any whole sectors of them. */
function survivors(unsynced: readonly Change[], draws: Draws): readonly Change[] {
  if (unsynced.length === 0) return []
  if (draws.happens(0.5)) return unsynced.slice(0, draws.below(unsynced.length + 1))
  return unsynced.flatMap((entry) => {
    if (!('bytes' in entry)) return draws.happens(0.5) ? [entry] : []
    return sectors(entry.position, entry.bytes).filter(() => draws.happens(0.5))
  })
}

function sectors(position: number, bytes: Uint8Array): Change[] {
  const pieces: Change[] = []
  for (let start = 0; start < bytes.length; ) {
    const length = Math.min(sectorBytes - ((position + start) % sectorBytes), bytes.length - start)
    pieces.push({ position: position + start, bytes: bytes.subarray(start, start + length) })
    start += length
  }
  return pieces
}

function apply(content: Content, change: Change): void {
  if ('bytes' in change) {
    const end = change.position + change.bytes.length
    reserve(content, end)
    content.bytes.set(change.bytes, change.position)
    content.size = Math.max(content.size, end)
    return
  }
  reserve(content, change.sizeBytes)
  if (change.sizeBytes < content.size) content.bytes.fill(0, change.sizeBytes, content.size)
  content.size = change.sizeBytes
}

function reserve(content: Content, size: number): void {
  if (size <= content.bytes.length) return
  const grown = new Uint8Array(Math.max(size, content.bytes.length * 2, 256))
  grown.set(content.bytes)
  content.bytes = grown
}
