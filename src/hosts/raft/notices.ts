/**
 * What of a member's state others wait for: observers, each change of role, term, leader or configuration;
 * proposals and reads without a leader, a leader to be asked.
 */
import type { Observer } from '../../observability/observer.ts'
import type { RaftState } from '../../protocols/raft/state.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { RaftHostStatus } from './contract.ts'
import type { PendingProposals } from './pending-proposals.ts'
import type { PendingReads } from './pending-reads.ts'

export interface Notices {
  /** After each turn. */
  look(): void
  add(changed: (status: RaftHostStatus) => void): () => void
  stop(): void
}

export interface NoticeOptions {
  readonly state: RaftState
  readonly runtime: Runtime
  readonly observer: Observer
  readonly proposals: PendingProposals
  readonly reads: PendingReads
  status(): RaftHostStatus
}

export function notices(options: NoticeOptions): Notices {
  const { state, runtime, observer, proposals, reads, status } = options
  const observers = new Set<(status: RaftHostStatus) => void>()
  let seen = { role: state.role, term: -1, leader: state.leader, configuration: -1 }
  let retry: Timer | undefined

  function askAgain(): void {
    retry?.cancel()
    retry = undefined
    if (state.leader === undefined) return
    proposals.retry()
    reads.retry()
  }

  return {
    look() {
      const { role, term, leader } = state
      const configuration = state.configurations.at(-1)?.index ?? 0
      const newLeader = leader !== seen.leader || term !== seen.term
      const changed = newLeader || role !== seen.role || configuration !== seen.configuration
      seen = { role, term, leader, configuration }
      if (newLeader && leader !== undefined) askAgain()
      if (proposals.waitsForLeader || reads.waitsForLeader) {
        retry ??= runtime.timers.schedule(state.settings.heartbeatMs, askAgain)
      }
      if (!changed) return
      runtime.probe.note('raft-role', { role, term, ...(leader === undefined ? {} : { leader }) })
      observer.event('raftRoleChanged', { id: state.settings.id, role, term, leader })
      for (const tell of [...observers]) tell(status())
    },
    add(changed) {
      observers.add(changed)
      return () => observers.delete(changed)
    },
    stop() {
      retry?.cancel()
      observers.clear()
    },
  }
}
