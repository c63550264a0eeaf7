/**
 * Everybody who waits on this member: proposers, readers, operators. What they want goes to the machine in
 * the next turn; what the machine answers finds its way back to them here.
 */
import type { RaftInput, RaftOutputs } from '../../protocols/raft/contract.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { type Errands, errands } from './errands.ts'
import type { HostLimits } from './options.ts'
import { type PendingProposals, pendingProposals } from './pending-proposals.ts'
import { type PendingReads, pendingReads } from './pending-reads.ts'

export interface Desk {
  readonly proposals: PendingProposals
  readonly reads: PendingReads
  readonly errands: Errands
  gather(): readonly RaftInput[]
  /** Before what is committed is applied: where each proposal stands in the log. */
  placed(outputs: RaftOutputs): void
  /** After it: reads may be served already, and errands be over. */
  answered(outputs: RaftOutputs, applied: number): void
  /** A snapshot took the place of what was before. */
  skipped(index: number): void
  end(reason: string): void
}

const batch = { batchMax: 1_024, batchBytesMax: 1_048_576 } as const

export function desk(runtime: Runtime, limits: HostLimits, wake: () => void): Desk {
  const proposals = pendingProposals(runtime, { ...limits, ...batch, wake })
  const reads = pendingReads(runtime, { readsMax: limits.readsMax, wake })
  const asked = errands(runtime)
  return {
    proposals,
    reads,
    errands: asked,
    gather: () => [
      ...proposals.take().map((one): RaftInput => ({ kind: 'propose', ...one })),
      ...reads.take().map((one): RaftInput => ({ kind: 'read', ...one })),
    ],
    placed({ accepted, refused }) {
      for (const one of accepted) proposals.accepted(one)
      for (const { id, reason } of refused) {
        if (!proposals.refused(id, reason) && !reads.refused(id, reason)) asked.refused(id, reason)
      }
    },
    answered(outputs, applied) {
      for (const { id, index } of outputs.reads) reads.answered(id, index, applied)
      for (const { id, ok } of outputs.ended) asked.ended(id, ok)
    },
    skipped(index) {
      proposals.skipped(index)
      reads.applied(index)
    },
    end(reason) {
      proposals.end(reason)
      reads.end(reason)
      asked.end(reason)
    },
  }
}
