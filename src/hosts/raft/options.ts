/**
 * What a member needs to know to run, with the defaults of a small group on a local network.
 */
import { ConfigurationError, InvalidArgumentError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import type { RaftOptions } from '../../protocols/raft/contract.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { ReplicatedMachine } from './contract.ts'

export interface RaftHostOptions {
  readonly runtime: Runtime
  /** This member and its disk: never give the id to another disk. */
  readonly id: MemberId
  /** The same for all members, 1 to 128 characters; members of another cluster are refused. */
  readonly clusterId: string
  /** A folder of its own. */
  readonly folder: string
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string
  /** Where the other members reach it, if not where it listens. */
  readonly advertise?: string
  /**
   * The first configuration, the same on every first member. For a member that joins later: no voters at
   * all, so that it waits to be added. Counts only while the folder is empty.
   */
  readonly bootstrap: Configuration
  readonly machine: ReplicatedMachine
  /**
   * What members know and others do not: see `SealOptions.secrets`. Absent: members may talk over loopback
   * addresses only.
   */
  readonly secrets?: readonly Uint8Array[]
  readonly observer?: Observer
  /** Of the protocol: timeouts, limits. */
  readonly raft?: Omit<RaftOptions, 'id' | 'seed'>
  /** A snapshot is taken after so many entries. 1 to 2^40, default 100_000. */
  readonly snapshotEveryEntries?: number
  /** … or so many bytes of commands, whichever is first. Default 67_108_864. */
  readonly snapshotEveryBytes?: number
  /** Entries kept in memory behind a snapshot for followers that are a little late. Default 10_000. */
  readonly keepEntries?: number
  /** One command. 1 to 16_777_216, default 1_048_576. */
  readonly commandBytesMax?: number
  /** Proposals that wait on this member, at most; more are refused. Default 65_536. */
  readonly proposalsMax?: number
  /** … and their bytes. Default 67_108_864. */
  readonly proposalBytesMax?: number
  /** Reads that wait on this member. Default 65_536. */
  readonly readsMax?: number
  /** Bytes that wait to be sent to one member; beyond it they are dropped and sent anew. Default 33_554_432. */
  readonly queueBytesMax?: number
  /** Default 67_108_864. */
  readonly segmentBytes?: number
}

export interface HostLimits {
  readonly snapshotEveryEntries: number
  readonly snapshotEveryBytes: number
  readonly keepEntries: number
  readonly commandBytesMax: number
  readonly proposalsMax: number
  readonly proposalBytesMax: number
  readonly readsMax: number
  readonly queueBytesMax: number
}

const defaults: HostLimits = {
  snapshotEveryEntries: 100_000,
  snapshotEveryBytes: 67_108_864,
  keepEntries: 10_000,
  commandBytesMax: 1_048_576,
  proposalsMax: 65_536,
  proposalBytesMax: 67_108_864,
  readsMax: 65_536,
  queueBytesMax: 33_554_432,
}

const most: HostLimits = {
  snapshotEveryEntries: 2 ** 40,
  snapshotEveryBytes: 2 ** 40,
  keepEntries: 2 ** 40,
  commandBytesMax: 16_777_216,
  proposalsMax: 1_048_576,
  proposalBytesMax: 2 ** 32,
  readsMax: 1_048_576,
  queueBytesMax: 2 ** 32,
}

/** @throws {InvalidArgumentError} @throws {ConfigurationError} */
export function limitsOf(options: RaftHostOptions): HostLimits {
  requireName('clusterId', options.clusterId, 128)
  requireName('id', options.id, 64)
  if (options.folder === '') throw new ConfigurationError('a member needs a folder of its own')
  const limits = { ...defaults }
  for (const name of Object.keys(defaults) as (keyof HostLimits)[]) {
    const value = options[name] ?? defaults[name]
    const min = name === 'keepEntries' ? 0 : 1
    if (!Number.isSafeInteger(value) || value < min || value > most[name]) {
      throw new InvalidArgumentError(
        `${name} is ${String(value)}; expected a whole number from ${min} to ${most[name]}`,
      )
    }
    limits[name] = value
  }
  return limits
}

export function requireWait(timeoutMs: number): void {
  if (Number.isSafeInteger(timeoutMs) && timeoutMs >= 1 && timeoutMs <= 600_000) return
  throw new InvalidArgumentError(
    `timeoutMs is ${String(timeoutMs)}; expected a whole number from 1 to 600000`,
  )
}

function requireName(subject: string, value: string, lengthMax: number): void {
  if (value.length >= 1 && value.length <= lengthMax && value.isWellFormed()) return
  throw new InvalidArgumentError(`${subject} is not a text of 1 to ${lengthMax} characters`)
}
