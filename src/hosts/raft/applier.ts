/**
 * Feeds the machine with what is committed, once each, in order, and knows how far it is: the index, and
 * the bytes since the last snapshot. A long backlog is fed in slices, so that a member that catches up
 * still answers its leader.
 */
import type { Configuration, Entry } from '../../protocols/raft/entry.ts'
import type { Timers } from '../../runtime/clock.ts'
import type { ReplicatedMachine } from './contract.ts'

export interface Applier {
  readonly index: number
  /** Of commands since the last snapshot. */
  readonly bytes: number
  push(entries: readonly Entry[]): void
  /** The machine's state is that of this snapshot now. */
  reset(index: number): void
  /** A snapshot was taken: count anew. */
  counted(): void
  stop(): void
}

export interface ApplierOptions {
  readonly timers: Timers
  readonly machine: ReplicatedMachine
  readonly index: number
  applied(entry: Entry, answer: Uint8Array | undefined): void
  /** A committed configuration was reached. */
  configured(configuration: Configuration): void
  /** A slice is over. */
  paused(index: number): void
  /** The machine threw, against its contract. */
  failed(error: Error): void
}

const sliceMax = 1_024

export function applier(options: ApplierOptions): Applier {
  const { machine, timers } = options
  let index = options.index
  let bytes = 0
  let queue: Entry[] = []
  let resting = false
  let stopped = false

  function run(): void {
    resting = false
    if (stopped) return
    const slice = queue.splice(0, sliceMax)
    try {
      for (const entry of slice) apply(entry)
    } catch (error) {
      stopped = true
      options.failed(error instanceof Error ? error : new Error(String(error)))
      return
    }
    if (slice.length > 0) options.paused(index)
    if (queue.length === 0 || resting || stopped) return
    resting = true
    timers.schedule(0, run)
  }

  function apply(entry: Entry): void {
    index = entry.index
    let answer: Uint8Array | undefined
    if (entry.kind === 'command') {
      bytes += entry.data.length
      answer = machine.apply(entry.index, entry.data)
    } else if (entry.kind === 'configuration') options.configured(entry.configuration)
    options.applied(entry, answer)
  }

  return {
    get index() {
      return index
    },
    get bytes() {
      return bytes
    },
    push(entries) {
      if (entries.length === 0) return
      queue = queue.length === 0 ? [...entries] : [...queue, ...entries]
      if (!resting) run()
    },
    reset(to) {
      index = to
      bytes = 0
      queue = queue.filter((entry) => entry.index > to)
    },
    counted() {
      bytes = 0
    },
    stop() {
      stopped = true
      queue = []
    },
  }
}
