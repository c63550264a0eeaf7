/**
 * A store like etcd: a small cluster that agrees on every write. What it answered is never lost, but for
 * a second or two after its leader is gone it answers nobody, and what was under way then is unknown.
 *
 * Models: linearizable leases, registry and records under one growing revision; whole seconds as times to
 * live, of at least two; a change of leader (by hand, by a fault at the server, or now and then by
 * itself in a rough world) with a time without a leader, after which every lease has its whole time to
 * live again; a bounded history, which can also be compacted by hand.
 * Leaves out: the members (the cluster is one address, and a partition cuts off all of it), quotas, the
 * size limit of a request, authentication, and the clock of each leader (the world's clock counts).
 */

import { type LinkService, linkServer } from '../../drivers/cluster/link/link-server.ts'
import { leaseService, remoteLeases } from '../../drivers/cluster/link/remote-leases.ts'
import { recordService, remoteRecords } from '../../drivers/cluster/link/remote-records.ts'
import { registryService, remoteRegistry } from '../../drivers/cluster/link/remote-registry.ts'
import { OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { LeaseCapabilities, LeaseStore } from '../../ports/lease-store.ts'
import type { RecordCapabilities, RecordStore } from '../../ports/record-store.ts'
import type { Registry, RegistryCapabilities } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { Process, World } from '../../simulation/world.ts'
import { type Engine, engine, services } from './engine.ts'
import { type EtcdKeyspace, etcdKeyspace, etcdLimits } from './etcd-keyspace.ts'
import { leaseHints } from './lease-hints.ts'

export interface EtcdEngineOptions {
  /** Default `etcd`. */
  readonly machine?: string
  /** How long a cluster without a leader takes to find one. 1 to 60_000, default 1_500. */
  readonly electionMs?: number
}

export interface EtcdEngineStores {
  readonly leases: LeaseStore
  readonly registry: Registry
  readonly records: RecordStore
  close(): Promise<void>
}

export interface EtcdEngine extends Engine<EtcdEngineStores> {
  /** The leader's process. Killing it is a change of leader as long as it is dead, and one election. */
  readonly process: Process
  changeLeader(): void
  /** Forgets the history of all keyspaces: watches that are behind end with `compacted`. */
  compact(): void
}

/** What a quorum remembers, whoever leads it and whoever dies. */
interface Quorum {
  readonly keyspaces: Map<string, EtcdKeyspace>
  term: number
  /** By the world's clock. */
  leaderAtMs: number
}

const port = 2_379
const tickMs = 100
/** How often, in a rough world, the leader may change by itself. */
const restlessMs = 5_000

export function etcdEngine(world: World, options: EtcdEngineOptions = {}): EtcdEngine {
  const { machine = 'etcd', electionMs = 1_500 } = options
  const address = `${machine}:${port}`
  const quorum: Quorum = { keyspaces: new Map(), term: 0, leaderAtMs: 0 }
  const nowMs = (): number => Math.floor(world.nowMs())

  function changeLeader(): void {
    quorum.term += 1
    quorum.leaderAtMs = nowMs() + electionMs
  }

  const process = world.machine(machine).process('leader', async (runtime) => {
    // The very first leader was elected before the story begins.
    if (quorum.term === 0) quorum.term = 1
    else changeLeader()
    const member = etcdMember(runtime, quorum, nowMs)
    await linkServer(runtime, { address, service: async (namespace) => member(namespace) })
    let extendedTerm = quorum.term === 1 ? 1 : 0
    for (let tick = 1; ; tick += 1) {
      await sleep(runtime.timers, tickMs)
      if (tick % (restlessMs / tickMs) === 0 && runtime.probe.chance('etcd: the leader changes')) {
        changeLeader()
      }
      if (nowMs() < quorum.leaderAtMs) continue
      const promoted = extendedTerm < quorum.term
      extendedTerm = quorum.term
      for (const keyspace of quorum.keyspaces.values()) {
        if (promoted) keyspace.extend(nowMs())
        else keyspace.expire(nowMs())
      }
    }
  })

  const shared = engine<EtcdEngineStores>({
    name: 'etcd-like',
    machines: [machine],
    address: () => address,
    stores(runtime, link) {
      const registry = remoteRegistry(runtime, link, registryCapabilities)
      return {
        leases: remoteLeases(runtime, link, leaseCapabilities),
        registry,
        records: remoteRecords(runtime, link, recordCapabilities),
        async close() {
          await registry.stop()
          link.close()
        },
      }
    },
  })
  return {
    ...shared,
    process,
    changeLeader,
    compact() {
      for (const { registry } of quorum.keyspaces.values()) registry.compact()
    },
  }
}

/** The service of one leader: every request goes through the quorum, and takes a moment to. */
function etcdMember(
  runtime: Runtime,
  quorum: Quorum,
  nowMs: () => number,
): (namespace: string) => LinkService {
  async function agree(): Promise<boolean> {
    const { term } = quorum
    if (nowMs() < quorum.leaderAtMs) throw new UnavailableError('etcdserver: no leader')
    await sleep(runtime.timers, 0.5 + 2 * runtime.random.fraction('etcd-commit'))
    return term === quorum.term
  }

  async function write<Value>(apply: () => Value): Promise<Value> {
    if (await agree()) return apply()
    // The entry may have reached a majority before its leader was lost, or not.
    if (runtime.random.fraction('etcd-commit') < 0.5) {
      try {
        apply()
      } catch {
        // Whether it was refused is unknown as well.
      }
    }
    throw new OutcomeUnknownError('etcdserver: the leader changed before it answered')
  }

  async function read<Value>(look: () => Value): Promise<Value> {
    if (await agree()) return look()
    throw new UnavailableError('etcdserver: the leader changed; nothing was written')
  }

  return (namespace) => {
    let keyspace = quorum.keyspaces.get(namespace)
    if (keyspace === undefined) {
      keyspace = etcdKeyspace()
      quorum.keyspaces.set(namespace, keyspace)
    }
    return serve(runtime, keyspace, { nowMs, write, read })
  }
}

interface Consensus {
  nowMs(): number
  write<Value>(apply: () => Value): Promise<Value>
  read<Value>(look: () => Value): Promise<Value>
}

function serve(
  runtime: Runtime,
  keyspace: EtcdKeyspace,
  { nowMs, write, read }: Consensus,
): LinkService {
  const { leases, records, registry, bells } = keyspace
  return services(
    leaseService({
      acquire: (request) => write(() => leases.acquire(request, nowMs())),
      renew: (lease, ttlMs) => write(() => leases.renew(lease, ttlMs, nowMs())),
      release: (lease) => write(() => leases.release(lease, nowMs())),
      withdraw: (name, attemptId) => write(() => leases.withdraw(name, attemptId)),
      list: (prefix, page) => read(() => leases.list(prefix, page, nowMs())),
      evict: (name) => write(() => leases.evict(name, nowMs())),
      watch: (name, wake) => leaseHints(runtime, { bells, table: leases, nowMs }, name, wake),
    }),
    recordService({
      get: (space, key) => read(() => records.get(space, key, nowMs())),
      putAll: (writes) => write(() => records.putAll(writes, nowMs())),
      delete: (space, key, expected) => write(() => records.delete(space, key, expected, nowMs())),
      due: (space, limit) => read(() => records.due(space, limit, nowMs())),
      list: (space, page) => read(() => records.list(space, page, nowMs())),
      increment: (space, key, by) => write(() => records.increment(space, key, by)),
      watch: (space, wake) => bells.listen(`space ${space}`, wake),
    }),
    registryService({
      openSession(options) {
        const id = runtime.random.id('etcd-session')
        return write(() => registry.openSession(id, options, nowMs()))
      },
      keepAlive: (id, ttlMs) => write(() => registry.keepAlive(id, ttlMs, nowMs())),
      closeSession: (id) => write(() => registry.closeSession(id)),
      register: (id, key, value) => write(() => registry.register(id, key, value)),
      deregister: (id, key) => write(() => registry.deregister(id, key)),
      list: (prefix) => read(() => registry.list(prefix)),
      watch(prefix, fromRevision, teller) {
        let seen = fromRevision
        let over = false
        const look = (): void => {
          if (over) return
          const told = registry.after(prefix, seen)
          seen = told.seen
          over = told.changes[0]?.kind === 'compacted'
          for (const change of told.changes) teller.news(change)
        }
        look()
        return bells.listen('registry', look)
      },
    }),
  )
}

const leaseCapabilities: LeaseCapabilities = {
  ttlMinMs: etcdLimits.ttlMinMs,
  ttlStepMs: etcdLimits.ttlStepMs,
  ttlScope: 'lease',
  fairness: 'fifo',
  clock: 'store-monotonic',
  fencing: 'the revision of the cluster; it never repeats',
  durability: 'a majority keeps it; a change of leader gives every lease its whole time again',
}
const registryCapabilities: RegistryCapabilities = {
  sessionTtlMinMs: etcdLimits.ttlMinMs,
  consistency: 'CP',
  notification: 'native',
  durability: 'a majority keeps it; sessions survive the death of any leader',
}
const recordCapabilities: RecordCapabilities = {
  sharesUserTransaction: false,
  durability: 'a majority keeps what was answered',
}
