/**
 * `holdfast/testing`: put your own service on trial, in virtual time and under faults.
 */
export { expectClean, SimulationError } from '../simulation/expect-clean.ts'
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
export { inVirtualTime, simulate } from '../simulation/node/index.ts'
export type { Scenario } from '../simulation/simulate.ts'
export type {
  ClientOptions,
  Fault,
  FaultControl,
  FaultKind,
  Fixture,
  Machine,
  Process,
  ProcessOptions,
  SimulateOptions,
  SimulationFailure,
  SimulationReport,
  Timeline,
  World,
} from '../simulation/world.ts'
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
