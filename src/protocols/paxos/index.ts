export { type Acceptor, type AcceptorStep, acceptor, acceptorStep } from './acceptor.ts'
export { type Ballot, compareBallots, type NodeId, noBallot, sameBallot } from './ballot.ts'
export { changed } from './changing.ts'
export type {
  Configuration,
  ConfigurationChange,
  DurableRecord,
  DurableState,
  Entry,
  Genesis,
  PaxosInput,
  PaxosOptions,
  PaxosOutputs,
  PaxosStatus,
  PaxosWrite,
  PlacedConfiguration,
  PlacedEntry,
  Refusal,
  Snapshot,
  Value,
} from './contract.ts'
export { applyRecord, newMember } from './durable.ts'
export { type Learner, learner, learnerStep, type Tally } from './learner.ts'
export type { Message, MessageBody } from './message.ts'
export { deadlineMs, type PaxosState, paxos, status, step, take } from './paxos.ts'
export {
  backoffMs,
  type Phase,
  type Promised,
  type Proposer,
  type ProposerStep,
  prepare,
  proposer,
  proposerStep,
} from './proposer.ts'
export { type Quorums, quorums } from './quorum.ts'
export type { Acceptance, Answer, Proposal, SingleDecreeMessage } from './single-decree.ts'
