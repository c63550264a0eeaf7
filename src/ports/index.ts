export type { ConformanceBench, ConformanceCase } from './conformance.ts'
export type { Driver, DriverContext, DriverStores } from './driver.ts'
export type {
  Lease,
  LeaseCapabilities,
  LeaseInfo,
  LeaseRequest,
  LeaseStore,
} from './lease-store.ts'
export { leaseDriftMargin } from './lease-store.ts'
export type { RecordCapabilities, RecordStore, RecordWrite, StoredRecord } from './record-store.ts'
export type {
  Registry,
  RegistryCapabilities,
  RegistryChange,
  RegistryEntry,
  RegistrySnapshot,
  Session,
  SessionOptions,
  WatchOptions,
} from './registry.ts'
export type { Schema, SchemaIssue, SchemaResult } from './schema.ts'
export { parseWith } from './schema.ts'
export type { SqlDatabase } from './sql-database.ts'
export type {
  ClaimRequest,
  DeadLetter,
  Delivery,
  QueueLimits,
  QueueStats,
  Settlement,
  Support,
  WorkCapabilities,
  WorkMessage,
  WorkStore,
} from './work-store.ts'
