export { type BrowserPlatformOptions, browserPlatform } from './browser/platform.ts'
export type { Platform } from './core.ts'
export { type CleanOptions, expectClean, SimulationError } from './expect-clean.ts'
export {
  type Action,
  type Exploration,
  type ExplorationProgress,
  type ExplorationReport,
  explore,
  type Violation,
} from './explore.ts'
export { leastKey, permutations } from './explore-symmetry.ts'
export { faultKinds, optionalFaultKinds } from './fault-plan.ts'
export type { HistoryJudge, Judgement } from './histories.ts'
export type { History, HistoryOperation, OpenCall } from './history.ts'
export { inVirtualTimeOn } from './in-virtual-time.ts'
export { type Scenario, simulateOn } from './simulate.ts'
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
  World,
} from './world.ts'
