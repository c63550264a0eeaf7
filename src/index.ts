export type {
  BoundSaga,
  ClientOptions,
  HoldfastNode,
  HoldfastOptions,
  PortDrivers,
  Stores,
} from './composition/index.ts'
export { holdfast } from './composition/index.ts'
