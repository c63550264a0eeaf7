export { type Seal, type SealOptions, seal } from './seal.ts'
export { SealError, type SealRefusal } from './seal-error.ts'
