/**
 * A store like Redis with Sentinel: fast, and honest about nothing when a primary dies. The primary
 * answers before its replica knows; after a failover the last writes are gone, so a name can be held
 * twice and a token can come again.
 *
 * Models: a primary, an asynchronous replica behind by `lagMs`, a sentinel that promotes the replica
 * after `downAfterMs` of silence, a split brain while the old primary is alive but out of its reach,
 * expiry on the wall clock of the node, and a restarted node that is empty.
 * Leaves out: persistence, `WAIT`, cluster slots, eviction, more than one replica, the sentinels' own
 * quorum.
 */

import { remoteLeases } from '../../drivers/cluster/link/remote-leases.ts'
import { UnavailableError } from '../../errors.ts'
import type { LeaseCapabilities, LeaseStore } from '../../ports/lease-store.ts'
import type { Process, World } from '../../simulation/world.ts'
import { type Engine, engine } from './engine.ts'
import { redisLimits, redisNode } from './redis-node.ts'
import { primaryOf, type RedisPlan, redisSentinel } from './redis-sentinel.ts'

export interface RedisEngineOptions {
  /** Its machines are this with `-1`, `-2` and `-sentinel`. Default `redis`. */
  readonly machine?: string
  /** How far the replica is behind. 0 to 60_000, default 50. */
  readonly lagMs?: number
  /** How long the primary is silent before the replica takes over. Default 2_000. */
  readonly downAfterMs?: number
}

export interface RedisEngineStores {
  readonly leases: LeaseStore
  close(): Promise<void>
}

export interface RedisEngine extends Engine<RedisEngineStores> {
  /** The process of the present primary, to kill or pause. */
  primary(): Process
  /** Promotes the replica at the sentinel's next round, whether the primary is well or not. */
  failOver(): void
  /** How often the replica has taken over. */
  failovers(): number
}

const port = 6_379
const sentinelPort = 26_379

export function redisEngine(world: World, options: RedisEngineOptions = {}): RedisEngine {
  const { machine = 'redis', lagMs = 50, downAfterMs = 2_000 } = options
  const first = `${machine}-1:${port}`
  const second = `${machine}-2:${port}`
  const sentinel = `${machine}-sentinel:${sentinelPort}`
  const plan: RedisPlan = { nodes: [first, second], primary: first, failovers: 0, forced: false }
  const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':'))

  const node = (address: string): Process =>
    world
      .machine(hostOf(address))
      .process('node', (runtime) => redisNode(runtime, { address, lagMs }))
  const processes = { [first]: node(first), [second]: node(second) }
  world
    .machine(hostOf(sentinel))
    .process('sentinel', (runtime) =>
      redisSentinel(runtime, plan, { address: sentinel, downAfterMs }),
    )

  const shared = engine<RedisEngineStores>({
    name: 'redis-like',
    machines: [first, second, sentinel].map(hostOf),
    async address(runtime) {
      try {
        return await primaryOf(runtime, sentinel)
      } catch (cause) {
        // Nothing was asked of the store yet, whatever became of the question.
        throw new UnavailableError('no sentinel says where the primary is', { cause })
      }
    },
    stores(runtime, link) {
      return {
        leases: remoteLeases(runtime, link, leaseCapabilities),
        async close() {
          link.close()
        },
      }
    },
  })
  return {
    ...shared,
    primary() {
      const process = processes[plan.primary]
      if (process === undefined) throw new UnavailableError('there is no primary')
      return process
    },
    failOver() {
      plan.forced = true
    },
    failovers: () => plan.failovers,
  }
}

const leaseCapabilities: LeaseCapabilities = {
  ...redisLimits,
  ttlScope: 'lease',
  fairness: 'none',
  clock: 'store-wall',
  fencing: 'a counter per name; after a failover it may fall back, and tokens repeat',
  durability: 'in the memory of the primary; a failover loses the last writes',
}
