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
  /**
   * The sync failed, and the kernel has given up: a drawn part of what it covered is safe, the rest never
   * will be, though everybody still reads it.
   */
  failSync(draws: Draws): void
  /** Keeps what is safe and a drawn part of the rest; with `torn`, sectors tear in the middle. */
  crash(draws: Draws, torn: boolean): void
  /** Flips one bit of a sector, as safe and as seen. @returns `false` if it is not wholly synced. */
  flip(sector: number, draws: Draws): boolean
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

export const sectorBytes = 512

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
    failSync(draws) {
      for (const entry of survivors(unsynced, draws, false)) apply(safe, entry)
      unsynced = []
    },
    flip(sector, draws) {
      const start = sector * sectorBytes
      const length = Math.min(sectorBytes, safe.size - start)
      if (unsynced.length > 0 || length <= 0) return false
      const position = start + draws.below(length)
      const bit = 1 << draws.below(8)
      for (const { bytes } of [safe, seen]) bytes[position] = (bytes[position] ?? 0) ^ bit
      return true
    },
    crash(draws, torn) {
      for (const entry of survivors(unsynced, draws, torn)) apply(safe, entry)
      unsynced = []
      seen.bytes = safe.bytes.slice()
      seen.size = safe.size
    },
  }
}

/** What of the unsynced writes reached the platter: a prefix, or any whole sectors of them. */
function survivors(unsynced: readonly Change[], draws: Draws, torn: boolean): readonly Change[] {
  if (unsynced.length === 0) return []
  if (!torn && draws.happens(0.5)) return unsynced.slice(0, draws.below(unsynced.length + 1))
  return unsynced.flatMap((entry): readonly Change[] => {
    if (!('bytes' in entry)) return draws.happens(0.5) ? [entry] : []
    const kept = sectors(entry.position, entry.bytes).filter(() => draws.happens(0.5))
    return torn ? kept.map((piece) => tear(piece, draws)) : kept
  })
}

type Write = { readonly position: number; readonly bytes: Uint8Array }

/** The power went while this sector was written: its first bytes are new, the others old. */
function tear({ position, bytes }: Write, draws: Draws): Write {
  return { position, bytes: bytes.subarray(0, draws.below(bytes.length + 1)) }
}

function sectors(position: number, bytes: Uint8Array): Write[] {
  const pieces: Write[] = []
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
