/**
 * `holdfast/testing`: put your own service on trial, in virtual time and under faults.
 */
export { type CleanOptions, expectClean, SimulationError } from '../simulation/expect-clean.ts'
export {
  type Action,
  type Exploration,
  type ExplorationProgress,
  type ExplorationReport,
  explore,
  type Violation,
} from '../simulation/explore.ts'
export { leastKey, permutations } from '../simulation/explore-symmetry.ts'
export { faultKinds, optionalFaultKinds } from '../simulation/fault-plan.ts'
export type { HistoryJudge, Judgement } from '../simulation/histories.ts'
export type { History, HistoryOperation, OpenCall } from '../simulation/history.ts'
export type {
  ClientOptions,
  Fault,
  FaultControl,
  FaultKind,
  Fixture,
  Machine,
  NodeOptions,
  NodeRuntime,
  Process,
  ProcessOptions,
  SimulateOptions,
  SimulationFailure,
  SimulationReport,
  Timeline,
} from '../simulation/world.ts'
export {
  type BrokerEngine,
  type BrokerEngineOptions,
  type BrokerEngineStores,
  brokerEngine,
} from './engines/broker-engine.ts'
export {
  type EmbeddedEngine,
  type EmbeddedEngineOptions,
  type EmbeddedEngineStores,
  embeddedEngine,
} from './engines/embedded-engine.ts'
export type { Engine, EngineClientOptions } from './engines/engine.ts'
export {
  type EtcdEngine,
  type EtcdEngineOptions,
  type EtcdEngineStores,
  etcdEngine,
} from './engines/etcd-engine.ts'
export {
  type RedisEngine,
  type RedisEngineOptions,
  type RedisEngineStores,
  redisEngine,
} from './engines/redis-engine.ts'
export {
  type ZookeeperEngine,
  type ZookeeperEngineOptions,
  type ZookeeperEngineStores,
  zookeeperEngine,
} from './engines/zookeeper-engine.ts'
export {
  type SimulationTest,
  type SimulationTestOptions,
  simulationTestWith,
  type TestFunction,
} from './simulation-test.ts'
export { inVirtualTime, type Scenario, simulate, type World } from './world.ts'
