/**
 * Weather is the state of the world outside any process: which links are cut, how much is lost, what
 * is slow. Faults change it, healing clears it, and network, disk and SQL ask it.
 */
import { type Draws, drawsOf, hashText, mix } from './chance.ts'

export interface Weather {
  /** Cuts one direction. Cuts are counted, so overlapping faults end one by one. */
  cut(source: string, target: string): void
  mend(source: string, target: string): void
  isCut(source: string, target: string): boolean
  /** Called after links were mended, so that stalled streams go on. */
  readonly onMended: Set<() => void>
  /** Shares from 0 to 1. */
  datagramLoss: number
  datagramCopies: number
  /** Share of datagrams that are held up, and so overtaken. */
  datagramDisorder: number
  hintLoss: number
  /** Extra delay of each message, in microseconds, at most. */
  networkDelayUs: number
  /** The troubles of a machine's disk. */
  diskOf(machine: string): DiskTrouble
  /** Do timers fire a little late, do streams split their bytes? Off in plain tests. */
  readonly rough: boolean
  /** Time for one message to travel. */
  travelUs(source: string, target: string, draws: Draws): number
  /** Time for one disk operation of about `baseUs`. */
  diskUs(machine: string, baseUs: number, draws: Draws): number
  /** All is well again. */
  clear(): void
}

export interface DiskTrouble {
  /** So many times slower. */
  factor: number
  /** Share of writes that find no space. */
  fullShare: number
  /** Share of syncs and commits that fail. */
  syncFailureShare: number
}

// Tables instead of a logarithm: whole microseconds, the same on every engine. One in sixteen is slow.
const nearUs = [20, 20, 25, 25, 30, 30, 35, 35, 40, 40, 50, 50, 60, 80, 120, 400] as const
const farUs = [
  180, 190, 200, 220, 240, 260, 280, 300, 330, 360, 400, 500, 700, 1_000, 2_500, 9_000,
] as const
const diskTimes = [4, 5, 6, 7, 8, 8, 9, 9, 10, 10, 11, 12, 14, 18, 30, 80] as const

export function weather(rough: boolean): Weather {
  const cuts = new Map<string, number>()
  const disks = new Map<string, DiskTrouble>()
  const link = (source: string, target: string): string => `${source}>${target}`
  const state: Weather = {
    rough,
    datagramLoss: 0,
    datagramCopies: 0,
    datagramDisorder: 0,
    hintLoss: 0,
    networkDelayUs: 0,
    onMended: new Set(),
    diskOf(machine) {
      let disk = disks.get(machine)
      if (disk === undefined) {
        disk = { factor: 1, fullShare: 0, syncFailureShare: 0 }
        disks.set(machine, disk)
      }
      return disk
    },
    cut(source, target) {
      cuts.set(link(source, target), (cuts.get(link(source, target)) ?? 0) + 1)
    },
    mend(source, target) {
      const left = (cuts.get(link(source, target)) ?? 0) - 1
      if (left > 0) cuts.set(link(source, target), left)
      else cuts.delete(link(source, target))
      for (const mended of state.onMended) mended()
    },
    isCut: (source, target) => cuts.size > 0 && source !== target && cuts.has(link(source, target)),
    travelUs(source, target, draws) {
      const table = source === target ? nearUs : farUs
      const word = draws.word()
      const extra = state.networkDelayUs === 0 ? 0 : draws.below(state.networkDelayUs)
      return (table[word & 15] ?? 0) + ((word >>> 8) & 31) + extra
    },
    diskUs(machine, baseUs, draws) {
      const word = draws.word()
      const factor = disks.get(machine)?.factor ?? 1
      return Math.ceil((baseUs * (diskTimes[word & 15] ?? 10) * factor) / 10) + ((word >>> 8) & 7)
    },
    clear() {
      cuts.clear()
      state.datagramLoss = 0
      state.datagramCopies = 0
      state.datagramDisorder = 0
      state.hintLoss = 0
      state.networkDelayUs = 0
      for (const disk of disks.values()) {
        Object.assign(disk, { factor: 1, fullShare: 0, syncFailureShare: 0 })
      }
      for (const mended of state.onMended) mended()
    },
  }
  return state
}

/** The stream of draws with this label. */
export function streamOf(key: number, label: string): Draws {
  return drawsOf(mix(key, hashText(label)))
}
