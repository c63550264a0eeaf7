/**
 * A member of a cluster, running: the pure machine told what happens, and what it answers carried out. The
 * order of things is the contract of Raft with its host: entries go to the disk and, at once, to the
 * others; what rests on the disk leaves after it; what is committed is applied once, in order.
 */
import { UnavailableError } from '../../errors.ts'
import { silentObserver } from '../../observability/observer.ts'
import type { RaftInput, RaftOutputs } from '../../protocols/raft/contract.ts'
import type { Configuration } from '../../protocols/raft/entry.ts'
import { raft, status, step, take } from '../../protocols/raft/raft.ts'
import { snapshotMark } from '../../protocols/raft/snapshots.ts'
import type { RaftState } from '../../protocols/raft/state.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { type Seal, seal } from '../seal/seal.ts'
import { applier } from './applier.ts'
import type { RaftHost, RaftHostStatus, StopReason } from './contract.ts'
import type { Self } from './dial.ts'
import { type ErrandKind, errands } from './errands.ts'
import { loop } from './loop.ts'
import { protocolVersions } from './message-codec.ts'
import { limitsOf, type RaftHostOptions, requireWait } from './options.ts'
import { pendingProposals } from './pending-proposals.ts'
import { pendingReads } from './pending-reads.ts'
import { pins } from './pins.ts'
import { noSeal, requireLoopback } from './plain-seal.ts'
import { snapshotting } from './snapshotting.ts'
import { raftStorage } from './storage.ts'
import type { RaftStorage, RaftStorageOptions } from './storage-contract.ts'
import { type Transport, transport } from './transport.ts'
import { writer } from './writer.ts'

/** What trials put in place of the real thing. */
export interface RaftHostParts {
  openStorage(runtime: Runtime, options: RaftStorageOptions): Promise<RaftStorage>
  /** `undefined`: by the secrets, or loopback only. */
  readonly seal: Seal | undefined
  readonly versions: { readonly min: number; readonly max: number }
  /** Told the state after each turn, for invariants. */
  watch(state: RaftState): void
}

const realParts: RaftHostParts = {
  openStorage: raftStorage,
  seal: undefined,
  versions: protocolVersions,
  watch() {},
}
