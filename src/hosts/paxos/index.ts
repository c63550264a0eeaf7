export { type PaxosClient, type PaxosClientOptions, paxosClient } from './client.ts'
export type { PaxosHost, PaxosHostOptions, PaxosMachine, StopReason } from './contract.ts'
export { paxosHost } from './host.ts'
export { type PaxosStorage, type PaxosStorageOptions, paxosStorage } from './storage.ts'
