/**
 * What each member of a ZooKeeper-like ensemble has of the data: the same writes in the same order, but not
 * all of them yet. The writes themselves are kept by the majority (`ZookeeperLog`).
 */
import { type Bells, bells as newBells } from '../../drivers/cluster/link/hints.ts'
import { type RegistryTable, registryTable } from '../../drivers/cluster/machine/registry-table.ts'
import { isHoldfastError } from '../../errors.ts'
import { leaseTopic } from './lease-hints.ts'
import {
  type DropRequest,
  type JoinRequest,
  type ZookeeperLocks,
  zookeeperLimits,
  zookeeperLocks,
} from './zookeeper-locks.ts'

export type ZookeeperWrite =
  | {
      readonly kind: 'open'
      readonly session: string
      readonly ttlMs: number
      readonly owner: string
    }
  | { readonly kind: 'end'; readonly session: string; readonly expired: boolean }
  | {
      readonly kind: 'register'
      readonly session: string
      readonly key: string
      readonly value: string
    }
  | { readonly kind: 'deregister'; readonly session: string; readonly key: string }
  | ({ readonly kind: 'join' } & JoinRequest)
  | {
      readonly kind: 'release'
      readonly name: string
      readonly token: bigint
      readonly attemptId: string
    }
  | { readonly kind: 'withdraw'; readonly name: string; readonly attemptId: string }
  | ({ readonly kind: 'drop'; readonly name: string } & DropRequest)
  | { readonly kind: 'evict'; readonly name: string }

/** The session is over: nothing was done. */
export const sessionOver = 'session over'

export interface ZookeeperReplica {
  readonly registry: RegistryTable
  readonly locks: ZookeeperLocks
  /** Living sessions with their times to live. */
  readonly sessions: ReadonlyMap<string, number>
  /** Rung under `lease …`, `registry` and `applied`. */
  readonly bells: Bells
  /** The process that listened is gone: nobody listens any more. */
  hangUp(): void
  /** How many writes of the log it has. */
  readonly applied: number
  /** Applies the next write. @throws what the write is refused with. */
  apply(write: ZookeeperWrite): unknown
}

/** @param keepsDead a planted bug: the nodes of an expired session stay. */
export function zookeeperReplica(keepsDead: boolean): ZookeeperReplica {
  let bells = newBells()
  const sessions = new Map<string, number>()
  let applied = 0
  let within = 0
  // Changes of one write follow each other, so a revision is the number of the write and a place within it.
  const nextRevision = (): bigint => (BigInt(applied) << 16n) + BigInt(++within)
  const changed = (): void => bells.ring('registry')
  const { ttlMinMs } = zookeeperLimits
  const registry = registryTable({ ttlMinMs: 1, historyMax: 10_000, nextRevision, changed })
  const locks = zookeeperLocks((name) => bells.ring(leaseTopic(name)))

  function end(session: string, expired: boolean): void {
    if (!sessions.delete(session) || (expired && keepsDead)) return
    locks.endSession(session)
    if (expired) registry.expireSession(session)
    else registry.closeSession(session)
  }

  function perform(write: ZookeeperWrite): unknown {
    switch (write.kind) {
      case 'open': {
        const { session, owner, ttlMs } = write
        // The leader counts the time; the table only needs to know that there is such a session.
        const opened = registry.openSession(session, { owner, ttlMs: ttlMinMs }, 0)
        sessions.set(session, ttlMs)
        return opened
      }
      case 'end':
        return end(write.session, write.expired)
      case 'register':
        return registry.register(write.session, write.key, write.value)
      case 'deregister':
        return registry.deregister(write.session, write.key)
      case 'join':
        return sessions.has(write.session) ? locks.join(write, BigInt(applied)) : sessionOver
      case 'release':
        return locks.release(write.name, write.token, write.attemptId)
      case 'withdraw':
        return locks.withdraw(write.name, write.attemptId)
      case 'drop':
        return locks.drop(write.name, write)
      case 'evict':
        return locks.evict(write.name)
    }
  }

  return {
    registry,
    locks,
    sessions,
    get bells() {
      return bells
    },
    hangUp() {
      bells = newBells()
    },
    get applied() {
      return applied
    },
    apply(write) {
      applied += 1
      within = 0
      try {
        return perform(write)
      } finally {
        bells.ring('applied')
      }
    },
  }
}

/** The writes of one namespace in their order, and how far each member is. */
export interface ZookeeperLog {
  readonly replicas: readonly ZookeeperReplica[]
  /** How many writes there are. */
  readonly length: number
  /** Adds a write and applies it at one member. @returns what it answers. */
  append(write: ZookeeperWrite, member: number): unknown
  /** Adds a write that no member has applied yet. */
  carry(write: ZookeeperWrite): void
  /** Brings a member up to a place. */
  advance(member: number, length: number): void
}

/** Writes kept for members that are behind; who is further behind is given the state as a whole. */
const behindMax = 20_000

export function zookeeperLog(keepsDead: boolean): ZookeeperLog {
  const replicas = [0, 1, 2].map(() => zookeeperReplica(keepsDead))
  let writes: ZookeeperWrite[] = []
  let first = 0

  function advance(member: number, length: number): void {
    const replica = replicas[member]
    if (replica === undefined) return
    while (replica.applied < Math.min(length, first + writes.length)) {
      const write = writes[replica.applied - first]
      if (write === undefined) return
      try {
        replica.apply(write)
      } catch (error) {
        // It was refused at the leader in the same way.
        if (!isHoldfastError(error)) throw error
      }
    }
  }

  function cut(): void {
    if (writes.length < 2 * behindMax) return
    for (const member of replicas.keys()) advance(member, first + behindMax)
    writes = writes.slice(behindMax)
    first += behindMax
  }

  return {
    replicas,
    get length() {
      return first + writes.length
    },
    append(write, member) {
      advance(member, first + writes.length)
      writes.push(write)
      cut()
      return replicas[member]?.apply(write)
    },
    carry(write) {
      writes.push(write)
    },
    advance,
  }
}
