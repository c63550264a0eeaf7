/**
 * The trials that Holdfast puts itself through, by name, for `holdfast simulate NAME`: the very scenarios
 * of its test suite, with the faults each must survive.
 */
import { lockTrial } from '../../coordination/lock.sim.ts'
import { clusterFaults, clusterTrial } from '../../drivers/cluster/cluster.sim.ts'
import { registryTrial } from '../../drivers/embedded/registry.sim.ts'
import { workTrial, workTrialFaults } from '../../drivers/embedded/work-store.sim.ts'
import { paxosTrial, paxosTrialFaults } from '../../hosts/paxos/paxos.sim.ts'
import { raftTrial, raftTrialFaults } from '../../hosts/raft/raft.sim.ts'
import { decisionTrial } from '../../kernels/decision.sim.ts'
import { leaseTrial } from '../../kernels/lease.sim.ts'
import { queueTrial } from '../../messaging/queue.sim.ts'
import { badDay } from '../../services/rpc/rpc.sim.ts'
import type { FaultKind, SimulateOptions } from '../../simulation/world.ts'
import { idempotencyTrial } from '../../transactions/idempotency.sim.ts'
import { sagaTrial } from '../../transactions/saga/saga.sim.ts'
import type { Scenario } from '../world.ts'

export interface NamedScenario {
  /** What is on trial and what the judges ask, in a line. */
  readonly about: string
  readonly options: SimulateOptions
  readonly scenario: Scenario
}

const oneMachine: readonly FaultKind[] = [
  'kill',
  'pause',
  'machine-crash',
  'hint-loss',
  'slow-disk',
  'wall-clock-step',
]
const betweenMachines: readonly FaultKind[] = [
  'kill',
  'pause',
  'partition',
  'one-way-partition',
  'stream-break',
  'half-open',
  'slow-network',
]

/** All built-in scenarios. */
export const scenarios: Readonly<Record<string, NamedScenario>> = {
  cluster: {
    about: 'members and their clients: one holder, watches without gaps, linearizable records',
    options: { faults: clusterFaults, durationMs: 10_000, livenessMs: 300_000 },
    scenario: clusterTrial(),
  },
  decision: {
    about: 'one outcome per record, whoever comes late',
    options: { faults: oneMachine, durationMs: 5_000, livenessMs: 120_000 },
    scenario: decisionTrial({ share: 0.2 }),
  },
  idempotency: {
    about: 'one effect per key, the same answer each time',
    options: { faults: oneMachine, durationMs: 5_000, livenessMs: 120_000 },
    scenario: idempotencyTrial(),
  },
  lease: {
    about: 'one holder at a time; the fence keeps the resource whole',
    options: { faults: oneMachine, durationMs: 8_000, livenessMs: 120_000 },
    scenario: leaseTrial(),
  },
  lock: {
    about: 'transfers under two locks each: money is conserved, nobody waits for ever',
    options: { faults: oneMachine, durationMs: 3_000, livenessMs: 60_000 },
    scenario: lockTrial(),
  },
  paxos: {
    about: 'members agree on every slot; one copy, each command once, whatever fails',
    options: { faults: paxosTrialFaults, durationMs: 6_000, faultsMax: 24, livenessMs: 60_000 },
    scenario: paxosTrial(),
  },
  queue: {
    about: 'no message lost, none invented, one effect each, order by key',
    options: { faults: oneMachine, durationMs: 5_000, livenessMs: 300_000 },
    scenario: queueTrial(),
  },
  raft: {
    about: 'whole members of a cluster: one history for all, whatever happens to a minority',
    options: { faults: raftTrialFaults, durationMs: 1_500, livenessMs: 60_000 },
    scenario: raftTrial(),
  },
  registry: {
    about: 'watchers miss nothing; nobody is listed longer than allowed',
    options: { faults: oneMachine, durationMs: 4_000 },
    scenario: registryTrial(),
  },
  rpc: {
    about: 'what was reported not-applied never ran; what must run once did',
    options: { faults: betweenMachines, durationMs: 18_000, faultsMax: 14 },
    scenario: badDay(),
  },
  saga: {
    about: 'money and stock are conserved; every saga ends',
    options: { faults: 'all', durationMs: 5_000, livenessMs: 20_000_000 },
    scenario: sagaTrial(),
  },
  work: {
    about: 'work is done, in order by key, and dead letters are kept',
    options: { faults: workTrialFaults, durationMs: 1_200 },
    scenario: workTrial(),
  },
}
