/**
 * Did a run do anything worth counting? A thousand green seeds in which nothing was written, or no fault
 * hit anything, prove nothing. So each run keeps book of what was struck and of what was made durable
 * afterwards, and says in words why it does not count.
 */
import type { FaultKind } from './world.ts'

export interface Progress {
  /** Something became durable: an SQL commit, a sync that had something to do, or the scenario says so. */
  committed(): void
  /** A client or a final check came to its end. */
  ended(): void
  /** A fault hit its target; `kind` is absent for a fault by hand. */
  struck(kind?: FaultKind): void
  readonly strikes: ReadonlyMap<FaultKind, number>
  /** Why the run does not count; `undefined` if it does. */
  reasonNotToCount(run: FinishedRun): string | undefined
}

export interface FinishedRun {
  /** The liveness phase finished: all clients and final checks ended. */
  readonly finished: boolean
  readonly events: number
  /** Were random faults asked for? If not, a finished workload is enough. */
  readonly faultsWanted: boolean
}

/** A run without clients and final checks must have had so many events. */
export const eventsMin = 10_000
/** So many faults must have hit something. */
export const strikesMin = 3

export function progress(): Progress {
  const strikes = new Map<FaultKind, number>()
  let hits = 0
  let commits = 0
  let commitsAfterFault = 0
  let ends = 0
  let endsAfterFault = 0
  return {
    committed() {
      commits++
      if (hits > 0) commitsAfterFault++
    },
    ended() {
      ends++
      if (hits > 0) endsAfterFault++
    },
    struck(kind) {
      hits++
      if (kind !== undefined) strikes.set(kind, (strikes.get(kind) ?? 0) + 1)
    },
    strikes,
    reasonNotToCount({ finished, events, faultsWanted }) {
      if (!finished) return 'the liveness phase did not finish'
      if (ends === 0 && events < eventsMin) {
        return `no client, no final check, and fewer than ${eventsMin} events`
      }
      if (!faultsWanted) return undefined
      if (hits < strikesMin) return `fewer than ${strikesMin} faults hit something`
      // A world that stores nothing shows its progress by clients and checks that end.
      const went = commits > 0 ? commitsAfterFault : endsAfterFault
      return went > 0 ? undefined : 'nothing was committed after a fault'
    },
  }
}
