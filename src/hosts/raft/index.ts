export type {
  RaftHost,
  RaftHostStatus,
  ReplicatedMachine,
  StopReason,
  WaitOptions,
} from './contract.ts'
export type { RaftHostOptions } from './options.ts'
export { PeerError, type PeerRefusal } from './peer-error.ts'
export { raftHost } from './raft-host.ts'
