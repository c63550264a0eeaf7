/**
 * The driver: leases, registry and records in a small group of members that run inside your own processes
 * (`member.ts`), with no server to install.
 */
import type { Seal } from '../../hosts/seal/index.ts'
import { requireInteger, requireText } from '../../ports/arguments.ts'
import type { Driver } from '../../ports/driver.ts'
import type { LeaseCapabilities, LeaseStore } from '../../ports/lease-store.ts'
import type { RecordCapabilities, RecordStore } from '../../ports/record-store.ts'
import type { Registry, RegistryCapabilities } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { clusterLink } from './cluster-link.ts'
import { type ClusterSecret, doorRuntime, requireMembers, sealOf } from './door-network.ts'
import type { Link } from './link/link.ts'
import { remoteLeases } from './link/remote-leases.ts'
import { remoteRecords } from './link/remote-records.ts'
import { remoteRegistry } from './link/remote-registry.ts'
import { clusterLimits } from './machine/keyspace.ts'

export interface ClusterOptions extends ClusterSecret {
  /** `host:port` of members. A few of them are enough; the leader is found through any. */
  readonly members: readonly string[]
  /**
   * How long a call goes on looking for a leader and asking again before it gives up: `UnavailableError`
   * if nothing can have happened, else `OutcomeUnknownError`. 1 to 60_000, default 10_000. Lower fails
   * sooner; below two elections it fails at every change of leader.
   */
  readonly callTimeoutMs?: number
  /** 1 to 60_000, default 1_000. */
  readonly connectTimeoutMs?: number
  /** After so long without an answer another member is asked. 1 to 60_000, default 2_000. */
  readonly answerTimeoutMs?: number
  /**
   * Who answers questions and watches. `leader` (default): one hop. `any`: the member that is connected,
   * after it has asked the leader how far it must be: the same guarantee, less work for the leader,
   * one more hop.
   */
  readonly readFrom?: 'leader' | 'any'
}

export interface ClusterStores extends AsyncDisposable {
  readonly leases: LeaseStore
  readonly registry: Registry
  readonly records: RecordStore
  /** Closes the sessions opened here, as far as it can. Safe to repeat. */
  close(): Promise<void>
}

/** For `holdfast({ leases: cluster({ members, secret }) })`. */
export function cluster(options: ClusterOptions): Driver {
  return {
    name: 'cluster',
    open: async ({ runtime, namespace }) => clusterStores(runtime, { ...options, namespace }),
  }
}

/** The stores of one namespace, for a process that does not use `holdfast()`. Connects when needed. */
export function clusterStores(
  runtime: Runtime,
  options: ClusterOptions & { readonly namespace: string },
): ClusterStores {
  const sealed = sealOf(runtime, options)
  requireMembers(options.members, sealed)
  return openStores(runtime, options, sealed)
}

/**
 * @param sealed `undefined` sends everything in the clear.
 * @param through what trials put between.
 */
export function openStores(
  runtime: Runtime,
  options: ClusterOptions & { readonly namespace: string },
  sealed: Seal | undefined,
  through: (link: Link) => Link = (link) => link,
): ClusterStores {
  const { members, namespace, readFrom = 'leader' } = options
  const { callTimeoutMs = 10_000, connectTimeoutMs = 1_000, answerTimeoutMs = 2_000 } = options
  requireText('namespace', namespace, 100)
  requireInteger('callTimeoutMs', callTimeoutMs, 1, 60_000)
  requireInteger('connectTimeoutMs', connectTimeoutMs, 1, 60_000)
  requireInteger('answerTimeoutMs', answerTimeoutMs, 1, 60_000)
  const times = { callTimeoutMs, connectTimeoutMs, answerTimeoutMs }
  const link = clusterLink(doorRuntime(runtime, sealed), {
    members,
    namespace,
    readFrom,
    ...times,
  })
  return storesOver(runtime, through(link))
}

/** The ports over a link. */
function storesOver(runtime: Runtime, link: Link): ClusterStores {
  const registry = remoteRegistry(runtime, link, registryCapabilities)
  async function close(): Promise<void> {
    if (link.closed) return
    await registry.stop()
    link.close()
  }
  return {
    leases: remoteLeases(runtime, link, leaseCapabilities),
    registry,
    records: remoteRecords(runtime, link, recordCapabilities),
    close,
    [Symbol.asyncDispose]: close,
  }
}

const durability =
  'a majority of the members has it on disk, synced; it survives the loss of any minority'

const leaseCapabilities: LeaseCapabilities = {
  ttlMinMs: clusterLimits.leaseTtlMinMs,
  ttlStepMs: 1,
  ttlScope: 'lease',
  fairness: 'fifo',
  clock: 'store-monotonic',
  fencing:
    'one counter per namespace in the agreed state; it never repeats, and a restored backup jumps far ahead',
  durability: `${durability}; a change of leader makes leases longer, never shorter`,
}
const registryCapabilities: RegistryCapabilities = {
  sessionTtlMinMs: clusterLimits.sessionTtlMinMs,
  consistency: 'CP',
  notification: 'native',
  durability: `${durability}; sessions survive the death of any member`,
}
const recordCapabilities: RecordCapabilities = { sharesUserTransaction: false, durability }
