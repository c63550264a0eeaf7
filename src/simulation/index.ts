export type { Platform } from './core.ts'
export { expectClean, SimulationError } from './expect-clean.ts'
export { faultKinds, optionalFaultKinds } from './fault-plan.ts'
export { inVirtualTimeOn } from './in-virtual-time.ts'
export { type Scenario, simulateOn } from './simulate.ts'
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
} from './world.ts'
