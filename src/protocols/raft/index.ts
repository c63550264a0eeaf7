export type {
  Accepted,
  ConfigurationChange,
  FollowerStatus,
  RaftInput,
  RaftOptions,
  RaftOutputs,
  RaftStatus,
  RaftWrite,
  Refusal,
  RestoredState,
  Role,
} from './contract.ts'
export type { Configuration, Entry, MemberId, SnapshotMark } from './entry.ts'
export { type RaftInvariants, raftInvariants } from './invariants.ts'
export type { Message, MessageBody } from './message.ts'
export {
  deadlineMs,
  entries,
  type RaftState,
  raft,
  snapshotMark,
  status,
  step,
  take,
} from './raft.ts'
