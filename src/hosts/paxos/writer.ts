/**
 * Puts writes on disk in order, and as many at once as came while the disk was busy, with one sync.
 */
import type { PaxosWrite } from '../../protocols/paxos/contract.ts'
import type { PaxosStorage } from './storage.ts'

export interface Writer {
  add(write: PaxosWrite): void
}

/** @param written is told the last ticket that is durable. @param failed is told once; then all ends. */
export function writer(
  storage: PaxosStorage,
  spawn: (work: () => Promise<void>) => void,
  written: (ticket: number) => void,
  failed: (error: unknown) => void,
): Writer {
  let waiting: PaxosWrite[] = []
  let isBusy = false

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await storage.write(batch)
      } catch (error) {
        failed(error)
        return
      }
      written(batch.at(-1)?.ticket ?? 0)
    }
    isBusy = false
  }

  return {
    add(write) {
      waiting.push(write)
      if (isBusy) return
      isBusy = true
      spawn(drain)
    },
  }
}
