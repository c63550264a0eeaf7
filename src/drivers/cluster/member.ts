/**
 * A member of the cluster, inside your own process: it keeps its share of the log on disk, agrees with the
 * others, and serves clients at one port.
 */
import { isHoldfastError } from '../../errors.ts'
import type { RaftHost, RaftHostStatus, StopReason } from '../../hosts/raft/contract.ts'
import type { RaftHostOptions } from '../../hosts/raft/options.ts'
import { noSeal } from '../../hosts/raft/plain-seal.ts'
import { type RaftHostParts, raftHostOf } from '../../hosts/raft/raft-host.ts'
import type { Seal } from '../../hosts/seal/index.ts'
import type { Observer } from '../../observability/observer.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { type ClusterSecret, defaultClusterId, sealOf, secretsOf } from './door-network.ts'
import { type LeaderClock, leaderClock } from './leader-clock.ts'
import { type LinkServerOptions, serveLink } from './link/link-server.ts'
import { type ClusterMachine, clusterMachine } from './machine/machine.ts'
import { commandBytesMax, type MemberParts, memberService } from './member-service.ts'
import { operatorNamespace, operatorService } from './operator-service.ts'
import { sharedPort } from './shared-port.ts'

export interface ClusterMemberOptions extends ClusterSecret {
  /** Names this member and its disk, 1 to 64 characters. Never give it to another disk. */
  readonly id: MemberId
  /** `host:port` for members and clients alike. */
  readonly listen: string
  /** Where others reach it, if not at `listen`. */
  readonly advertise?: string
  /**
   * The members the cluster begins with, by id, and where they are reached; the same on each of them, with
   * itself or without. Counts only while the folder is empty. Leave it out for a member that joins later:
   * it waits until an operator adds it.
   */
  readonly peers?: Readonly<Record<MemberId, string>>
  /** A folder of its own, on a local disk. */
  readonly folder: string
  /**
   * A member that hears nothing of a leader for this long, up to twice as long by chance, stands for
   * election. 10 to 600_000, default 1_000. Lower finds a new leader sooner, and loses a good one to
   * every pause of that length.
   */
  readonly electionMs?: number
  /** Default a tenth of `electionMs`. */
  readonly heartbeatMs?: number
  /**
   * `quorum` (default): each read is confirmed by a majority. `lease`: the leader answers alone as long as
   * it is sure to lead, which trusts that clocks run equally fast within 5 %.
   */
  readonly readBy?: 'quorum' | 'lease'
  /** A snapshot is taken after so many entries. Default 100_000. */
  readonly snapshotEveryEntries?: number
  readonly observer?: Observer
}

export interface ClusterMember extends AsyncDisposable {
  readonly id: MemberId
  /** With the real port. */
  readonly address: string
  status(): RaftHostStatus
  /** Ends when this member can go on no more: closed, removed, or its disk failed. */
  readonly stopped: Promise<StopReason>
  /** Hands leadership over if it has it, then stops. Safe to repeat. */
  close(): Promise<void>
}

/**
 * Runs a member until it is closed.
 * @throws {ConfigurationError} the folder is another member's, or an address that needs a secret.
 * @throws {CorruptDataError} what is in the folder cannot be trusted.
 */
export function clusterMember(
  runtime: Runtime,
  options: ClusterMemberOptions,
): Promise<ClusterMember> {
  return startMember(runtime, options, {})
}

/** What trials put in place of the real thing. */
export interface MemberTrialParts {
  /** `false`: nothing is sealed, whatever the address. */
  readonly seal?: Seal | false
  readonly machine?: ClusterMachine
  clock?(real: LeaderClock, host: RaftHost, machine: ClusterMachine): LeaderClock
  readonly host?: Partial<RaftHostParts>
}

export async function startMember(
  runtime: Runtime,
  options: ClusterMemberOptions,
  trial: MemberTrialParts,
): Promise<ClusterMember> {
  const sealed = trial.seal === false ? noSeal : (trial.seal ?? sealOf(runtime, options))
  const machine = trial.machine ?? clusterMachine()
  let visit = (stream: ByteStream): void => stream.destroy()
  const network = sharedPort(runtime, (stream) => visit(stream))
  const host = await raftHostOf(
    { ...raftOptions(options), runtime: { ...runtime, network }, machine },
    { ...trial.host, ...(sealed === undefined ? {} : { seal: sealed }) },
  )
  const real = leaderClock(runtime, host, machine, { door: host.address })
  const clock = trial.clock?.(real, host, machine) ?? real
  const parts = { runtime, host, machine, clock, readBy: options.readBy ?? 'quorum' } as const
  const visitors = reception(runtime, sealed, {
    requestBytesMax: 2 * commandBytesMax,
    service: services(parts),
  })
  visit = visitors.enter
  const stopped = host.stopped.then((reason) => {
    clock.close()
    visitors.close()
    return reason
  })
  const close = (): Promise<void> => host.close()
  return {
    id: host.id,
    address: host.address,
    status: () => host.status(),
    stopped,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function raftOptions(options: ClusterMemberOptions): Omit<RaftHostOptions, 'runtime' | 'machine'> {
  const { id, listen, advertise, peers, folder, clusterId = defaultClusterId } = options
  const { electionMs = 1_000, heartbeatMs = Math.ceil(electionMs / 10) } = options
  const secrets = secretsOf(options)
  return {
    id,
    clusterId,
    folder,
    listen,
    bootstrap: bootstrapOf(id, advertise ?? listen, peers),
    commandBytesMax,
    ...(advertise === undefined ? {} : { advertise }),
    ...(secrets === undefined ? {} : { secrets }),
    ...(options.observer === undefined ? {} : { observer: options.observer }),
    ...(options.snapshotEveryEntries === undefined
      ? {}
      : { snapshotEveryEntries: options.snapshotEveryEntries }),
    raft: {
      electionMs,
      heartbeatMs,
      ...(options.readBy === 'lease' ? { leaseDrift: 0.05 } : {}),
    },
  }
}

/** The same on every first member, whatever order they were named in. */
function bootstrapOf(
  id: MemberId,
  address: string,
  peers: Readonly<Record<MemberId, string>> | undefined,
): Configuration {
  const none = { outgoing: [], learners: [], retired: [] }
  if (peers === undefined) return { ...none, voters: [], addresses: {} }
  const all = { [id]: address, ...peers }
  const voters = Object.keys(all).sort()
  const addresses = Object.fromEntries(voters.map((voter) => [voter, all[voter] ?? '']))
  return { ...none, voters, addresses }
}

function services(parts: MemberParts): LinkServerOptions['service'] {
  const forUsers = memberService(parts)
  const forOperators = operatorService(parts)
  return async (namespace) => (namespace === operatorNamespace ? forOperators : forUsers(namespace))
}

interface Reception {
  enter(stream: ByteStream): void
  /** Shows everybody out. */
  close(): void
}

/** Clients that may be in at once. */
const visitorsMax = 4_096

function reception(
  runtime: Runtime,
  sealed: Seal | undefined,
  options: Omit<LinkServerOptions, 'address'>,
): Reception {
  const inside = new Set<ByteStream>()
  let closed = false
  return {
    enter(raw) {
      if (closed || inside.size >= visitorsMax) {
        raw.destroy()
        return
      }
      inside.add(raw)
      runtime.tasks.spawn('cluster-client', async () => {
        try {
          const stream = sealed === undefined ? raw : await sealed.accept(raw)
          await serveLink(runtime, options, stream)
        } catch (error) {
          // The seal has shown the stranger out.
          if (!isHoldfastError(error)) throw error
        } finally {
          inside.delete(raw)
        }
      })
    },
    close() {
      closed = true
      for (const stream of [...inside]) stream.destroy()
      inside.clear()
    },
  }
}
