/**
 * Bugs that a host of Raft can have although its machine is right, each planted in one place. The judges of
 * the trial must find them all.
 */
import type { RaftOutputs, RaftWrite } from '../../protocols/raft/contract.ts'
import type { Disk, DiskFile } from '../../runtime/disk.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { FaultKind } from '../../simulation/world.ts'
import type { Bug } from './raft-member.sim.ts'
import { raftStorage } from './storage.ts'
import type { RaftStorage } from './storage-contract.ts'

export interface PlantedBug {
  readonly name: string
  /** Requirements it breaks. */
  readonly breaks: string
  readonly bug: Bug
  /** What brings it out; all faults of the trial otherwise. */
  readonly faults?: readonly FaultKind[]
  /** It shows rarely: more faults, for longer. Virtual milliseconds. */
  readonly lastsMs?: number
}

/** A disk that is slow when the power fails, and leaders that fall silent. */
const lateDisks: readonly FaultKind[] = ['machine-crash', 'slow-disk', 'pause']
const powerCuts: readonly FaultKind[] = ['machine-crash', 'torn-write', 'slow-disk', 'partition']

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'a message leaves before the write it rests on is durable',
    breaks: 'RF-1',
    faults: lateDisks,
    lastsMs: 3_000,
    bug: {
      parts: {
        outputs: (outputs: RaftOutputs) => ({
          ...outputs,
          send: [...outputs.send, ...outputs.sendAfter.map(({ message }) => message)],
          sendAfter: [],
        }),
      },
    },
  },
  {
    name: 'a write is called durable before its sync',
    breaks: 'RF-1, RF-2',
    faults: lateDisks,
    lastsMs: 3_000,
    bug: {
      parts: {
        openStorage: async (runtime, options) => hasty(await raftStorage(runtime, options)),
      },
    },
  },
  {
    name: 'nothing is ever synced',
    breaks: 'RF-1, RF-10',
    faults: powerCuts,
    bug: { runtime: (runtime) => withDisk(runtime, () => true) },
  },
  {
    name: 'a snapshot is put in place before it is durable',
    breaks: 'RF-7',
    faults: powerCuts,
    bug: { runtime: (runtime) => withDisk(runtime, (path) => path.includes('.snapshot')) },
  },
  {
    name: 'what is not known is called not applied',
    breaks: 'RF-9',
    bug: { forgetsDoubt: true },
  },
  {
    name: 'a read does not wait for what it must show',
    breaks: 'RF-5',
    bug: {
      parts: {
        outputs: (outputs: RaftOutputs) => ({
          ...outputs,
          reads: outputs.reads.map(({ id }) => ({ id, index: 0 })),
        }),
      },
    },
  },
  {
    name: 'a lost disk comes back under its old name, and nobody minds',
    breaks: 'RF-6',
    faults: ['machine-loss', 'partition', 'kill', 'machine-crash'],
    bug: { sameName: true, parts: { forgetful: true } },
  },
  {
    name: 'sessions are not in the snapshot',
    breaks: 'RF-9',
    bug: {
      machine: (machine) => ({
        ...machine,
        restore(pieces) {
          const text = new TextDecoder().decode(Buffer.concat(pieces))
          const bare = JSON.stringify({ ...JSON.parse(text), sessions: [] })
          machine.restore([new TextEncoder().encode(bare)])
        },
      }),
    },
  },
]

/** Answers at once and writes later, in order. */
function hasty(storage: RaftStorage): RaftStorage {
  let behind: Promise<void> = Promise.resolve()
  return {
    ...storage,
    async write(batch: readonly RaftWrite[]) {
      behind = behind.then(() => storage.write(batch)).catch(() => {})
    },
    async saveSnapshot(mark, pieces) {
      await behind
      await storage.saveSnapshot(mark, pieces)
    },
    async close() {
      await behind
      await storage.close()
    },
  }
}

/** A disk on which these files, and the names in their folder, are never synced. */
function withDisk(runtime: Runtime, isForgotten: (path: string) => boolean): Runtime {
  const { disk } = runtime
  const lying: Disk = {
    ...disk,
    async open(path, mode) {
      const file = await disk.open(path, mode)
      const quick: DiskFile = { ...file, sync: async () => {} }
      return isForgotten(path) && path !== '/whoami.new' ? quick : file
    },
  }
  return { ...runtime, disk: lying }
}
