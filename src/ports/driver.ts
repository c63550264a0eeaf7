/**
 * A driver is a backend ready to be opened: it is handed to `holdfast()` under the name of a port, and
 * gives the stores it can. The same driver under two ports is opened once.
 */
import type { Observer } from '../observability/observer.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { LeaseStore } from './lease-store.ts'
import type { RecordStore } from './record-store.ts'
import type { Registry } from './registry.ts'
import type { WorkStore } from './work-store.ts'

export interface DriverContext {
  readonly runtime: Runtime
  /** Prefixes every key on every engine. */
  readonly namespace: string
  readonly observer: Observer
}

export interface DriverStores {
  readonly leases?: LeaseStore
  readonly registry?: Registry
  readonly records?: RecordStore
  readonly work?: WorkStore
  close(): Promise<void>
}

export interface Driver {
  /** For messages: `embedded`. */
  readonly name: string
  open(context: DriverContext): Promise<DriverStores>
}
