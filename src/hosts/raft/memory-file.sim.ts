/**
 * A file that is nowhere: what another member's disk would hold, for snapshots that come from outside a trial.
 */
import type { DiskFile } from '../../runtime/disk.ts'

export interface FileInMemory {
  readonly file: DiskFile
  bytes(): Uint8Array
}

export function fileInMemory(): FileInMemory {
  let held: Uint8Array = new Uint8Array(0)
  return {
    bytes: () => held,
    file: {
      readAt: async (position, length) => held.slice(position, position + length),
      async writeAt(position, bytes) {
        const grown = new Uint8Array(Math.max(held.length, position + bytes.length))
        grown.set(held)
        grown.set(bytes, position)
        held = grown
      },
      async truncate(sizeBytes) {
        held = held.slice(0, sizeBytes)
      },
      sizeBytes: async () => held.length,
      async sync() {},
      async close() {},
    },
  }
}
