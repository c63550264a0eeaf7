export type { Clock, Timer, TimerOptions, Timers } from './clock.ts'
export type { Disk, DiskFile, OpenMode } from './disk.ts'
export type {
  ByteStream,
  ConnectOptions,
  Datagram,
  DatagramSocket,
  Listener,
  Network,
  StreamReceiver,
} from './network.ts'
export { streamHighWaterBytes } from './network.ts'
export type { RandomSource } from './random.ts'
export type { Probe, ProcessIdentity, Runtime } from './runtime.ts'
export { sleep } from './sleep.ts'
export type {
  SqlBatch,
  SqlEngine,
  SqlFile,
  SqlOpenOptions,
  SqlOutcome,
  SqlResult,
  SqlRow,
  SqlStatement,
  SqlValue,
} from './sql.ts'
export type { Tasks } from './tasks.ts'
