export { crc32c } from './checksum.ts'
export type { LogOptions, ReplayedRecord, WriteAheadLog } from './contract.ts'
export { openLog } from './log.ts'
