/**
 * A store like ZooKeeper: three members, one of which leads, and sessions under everything. What hangs on a
 * session ends with it, and whether it is over, the leader decides.
 *
 * Models: an election with a time without a leader, after which every session has its whole time again; one
 * order of all writes; sessions counted by the leader; locks as lines of ephemeral sequential nodes with
 * `czxid` as the fence, and a time to live that belongs to the session; watches on locks that tell once; a
 * client that moves to another member when its own dies or loses the leader, whose member may be behind,
 * and `sync` for who must not read old data; a connection that is lost with an answer under way.
 * Leaves out: the tree of nodes as such (the recipes are single writes here), ACLs, quotas, observers,
 * the limits on a session's time, the members' own clocks, and the vote itself. Changes of the registry are
 * told one by one with their values, as a driver has to compose them from persistent watches.
 */
import { remoteRegistry } from '../../drivers/cluster/link/remote-registry.ts'
import { requireInteger } from '../../ports/arguments.ts'
import type { LeaseCapabilities, LeaseStore } from '../../ports/lease-store.ts'
import type { Registry, RegistryCapabilities } from '../../ports/registry.ts'
import type { Process, World } from '../../simulation/world.ts'
import { type Engine, engine } from './engine.ts'
import { anyOf, ensemble } from './ensemble.ts'
import { zookeeperLeases } from './zookeeper-leases.ts'
import { zookeeperLimits } from './zookeeper-locks.ts'
import { type ZookeeperFlaw, zookeeperLeader, zookeeperMember } from './zookeeper-member.ts'
import { type ZookeeperLog, zookeeperLog } from './zookeeper-replica.ts'

export interface ZookeeperEngineOptions {
  /** Its machines are this with `-1`, `-2` and `-3`. Default `zookeeper`. */
  readonly machine?: string
  /** How long the leader is silent before another member takes over. 500 to 60_000, default 1_500. */
  readonly electionMs?: number
  /** How far a member is behind the leader. 0 to 60_000, default 20. */
  readonly lagMs?: number
  /** Do lists show what the client's member has, without `sync`? Default `false`. */
  readonly staleReads?: boolean
}

export interface ZookeeperEngineStores {
  readonly leases: LeaseStore
  readonly registry: Registry
  close(): Promise<void>
}

export interface ZookeeperEngine extends Engine<ZookeeperEngineStores> {
  /** The processes of its members, to kill or pause. */
  readonly members: readonly Process[]
  /** The member that leads, if any does. */
  leader(): Process | undefined
  changeLeader(): void
}

const port = 2_181

export function zookeeperEngine(
  world: World,
  options: ZookeeperEngineOptions = {},
): ZookeeperEngine {
  return flawedZookeeper(world, options)
}

/** The same with a bug, to show that a judge finds it. */
export function flawedZookeeper(
  world: World,
  options: ZookeeperEngineOptions & { readonly flaw?: ZookeeperFlaw } = {},
): ZookeeperEngine {
  const { machine = 'zookeeper', electionMs = 1_500, lagMs = 20, staleReads = false } = options
  requireInteger('electionMs', electionMs, 500, 60_000)
  requireInteger('lagMs', lagMs, 0, 60_000)
  const { flaw } = options
  const logs = new Map<string, ZookeeperLog>()
  const logOf = (namespace: string): ZookeeperLog => {
    const log = logs.get(namespace) ?? zookeeperLog(flaw === 'dead-nodes-stay')
    logs.set(namespace, log)
    return log
  }
  const members = ensemble(world, {
    machine,
    port,
    electionMs,
    serve: (leader, namespace) => zookeeperLeader(leader, logOf(namespace), flaw),
    own: (member, namespace) => zookeeperMember(member, logOf(namespace), { lagMs, staleReads }),
  })
  const shared = engine<ZookeeperEngineStores>({
    name: 'zookeeper-like',
    machines: members.machines,
    address: anyOf(members.addresses),
    stores(runtime, link) {
      const leases = zookeeperLeases(runtime, link, leaseCapabilities)
      const registry = remoteRegistry(runtime, link, registryCapabilities)
      return {
        leases,
        registry,
        async close() {
          await Promise.all([leases.stop(), registry.stop()])
          link.close()
        },
      }
    },
  })
  const { leader, changeLeader } = members
  return { ...shared, members: members.members, leader, changeLeader }
}

const leaseCapabilities: LeaseCapabilities = {
  ...zookeeperLimits,
  ttlScope: 'session',
  fairness: 'fifo',
  clock: 'store-monotonic',
  fencing: 'czxid: the number of the write that made the node; it never repeats',
  durability: 'a majority keeps it; a change of leader gives every session its whole time again',
}
const registryCapabilities: RegistryCapabilities = {
  sessionTtlMinMs: zookeeperLimits.ttlMinMs,
  consistency: 'CP',
  notification: 'native',
  durability: 'a majority keeps it; sessions survive the death of any member',
}
