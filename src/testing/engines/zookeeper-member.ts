/**
 * The members of a ZooKeeper-like ensemble. The leader puts writes in order and decides which sessions are
 * over, by its own count of when it last heard of them. Every member answers reads and watches from what it
 * has; who must not read old data asks the leader first how far it is (`sync`).
 */
import type { LinkService, LinkTeller } from '../../drivers/cluster/link/link-server.ts'
import { type LeaseName, leaseService } from '../../drivers/cluster/link/remote-leases.ts'
import { registryService } from '../../drivers/cluster/link/remote-registry.ts'
import {
  isHoldfastError,
  LeaseLostError,
  OutcomeUnknownError,
  UnavailableError,
} from '../../errors.ts'
import { requireInteger, requireLength, requireText } from '../../ports/arguments.ts'
import { leaseDriftMargin } from '../../ports/lease-store.ts'
import { sleep } from '../../runtime/sleep.ts'
import { services } from './engine.ts'
import { type Leader, type LedService, type Member, moved } from './ensemble.ts'
import { leaseTopic } from './lease-hints.ts'
import { type LockNode, requireLease, requireTtl, zookeeperLimits } from './zookeeper-locks.ts'
import { sessionOver, type ZookeeperLog, type ZookeeperWrite } from './zookeeper-replica.ts'

/** A planted bug, for the trials of the judges. */
export type ZookeeperFlaw = 'client-clock' | 'dead-nodes-stay'

export interface Written {
  readonly answer: unknown
  /** Of the log, with this write. */
  readonly length: number
}

/** What is said to who asks for a lease: see `join` of the locks. */
export interface JoinAnswer {
  readonly token: bigint
  readonly validForMs: number
}

export function zookeeperLeader(
  leader: Leader,
  log: ZookeeperLog,
  flaw?: ZookeeperFlaw,
): LedService {
  const { number, nowMs, runtime, commit } = leader
  // Whoever is elected has all that was committed.
  if (leader.leads()) log.advance(number, log.length)
  const replica = log.replicas[number]
  if (replica === undefined) throw new UnavailableError('there is no such member')
  const { sessions, locks } = replica
  const startedMs = nowMs()
  /** A new leader knows of nobody when it was last heard: each session has its whole time again. */
  const heardMs = new Map<string, number>()
  const leaseEndsMs = new Map<bigint, number>()
  const ending = new Set<string>()
  const commits = new Set<LinkTeller>()

  const lastHeardMs = (session: string): number => heardMs.get(session) ?? startedMs
  const isLiving = (session: string): boolean => sessions.has(session) && !ending.has(session)

  function touch(session: string): void {
    heardMs.set(session, nowMs())
  }

  function answerOf(node: LockNode, session: string): JoinAnswer {
    const { czxid: token, ttlMs } = node
    if (node.session === session) {
      if (!leaseEndsMs.has(token)) leaseEndsMs.set(token, nowMs() + ttlMs)
      return { token, validForMs: ttlMs * (1 - leaseDriftMargin) }
    }
    // Bound to another session, which may end without this one's doing.
    const sessionEndsMs = lastHeardMs(node.session) + (sessions.get(node.session) ?? 0)
    const endsMs = Math.min(sessionEndsMs, leaseEndsMs.get(token) ?? 0)
    return { token, validForMs: Math.max(0, endsMs - nowMs() - ttlMs * leaseDriftMargin) }
  }

  /** Everybody hears of it, also if it is refused. */
  function appended(one: ZookeeperWrite): unknown {
    try {
      return log.append(one, number)
    } finally {
      for (const teller of commits) teller.news(log.length)
    }
  }

  function write(one: ZookeeperWrite): Promise<Written> {
    const apply = (): Written => {
      if (one.kind === 'join' && !isLiving(one.session)) {
        return { answer: sessionOver, length: log.length }
      }
      // A session that begins in this term was never heard of before.
      const begins = one.kind === 'open'
      if ('session' in one && (begins || isLiving(one.session))) touch(one.session)
      const answer = appended(one)
      const node = one.kind === 'join' && answer !== sessionOver ? (answer as LockNode) : undefined
      if (one.kind !== 'join' || answer === sessionOver) return { answer, length: log.length }
      const join = node === undefined ? undefined : answerOf(node, one.session)
      return { answer: join, length: log.length }
    }
    return commit(apply, () => log.carry(one))
  }

  async function end(session: string): Promise<void> {
    try {
      await write({ kind: 'end', session, expired: true })
    } catch (error) {
      // It is not kept alive any more either; the next round tries again.
      if (!isHoldfastError(error)) throw error
      await sleep(runtime.timers, 500)
    }
    ending.delete(session)
  }

  return {
    calls: {
      'zk.write': write,
      'zk.length': () =>
        commit(
          () => log.length,
          () => {},
        ),
      'zk.touch': async (session: string, clientWallMs?: number) => {
        if (!leader.leads()) throw moved('this member does not lead')
        if (!isLiving(session)) return false
        const lateMs = runtime.clock.wallMs() - (clientWallMs ?? runtime.clock.wallMs())
        if (flaw === 'client-clock') heardMs.set(session, nowMs() - Math.max(0, lateMs))
        else touch(session)
        return true
      },
      'zk.renew': async ({ name, token, attemptId }: LeaseName, ttlMs: number) => {
        requireTtl(ttlMs)
        if (!leader.leads()) throw moved('this member does not lead')
        const node = locks.held(name, token, attemptId)
        if (node === undefined || !isLiving(node.session)) {
          throw new LeaseLostError(`lease ${token} of "${name}" is gone`)
        }
        touch(node.session)
        const goodMs = Math.min(ttlMs, sessions.get(node.session) ?? 0)
        leaseEndsMs.set(token, Math.max(leaseEndsMs.get(token) ?? 0, nowMs() + goodMs))
        return goodMs * (1 - leaseDriftMargin)
      },
    },
    sources: {
      'zk.commits': (teller) => {
        commits.add(teller)
        teller.news(log.length)
        return () => commits.delete(teller)
      },
    },
    tick() {
      for (const session of heardMs.keys()) if (!sessions.has(session)) heardMs.delete(session)
      for (const [session, ttlMs] of sessions) {
        if (ending.has(session) || nowMs() < lastHeardMs(session) + ttlMs) continue
        ending.add(session)
        runtime.tasks.spawn('end a session', () => end(session))
      }
      for (const [token, endsMs] of leaseEndsMs) {
        if (endsMs < nowMs() - 3_600_000) leaseEndsMs.delete(token)
      }
    },
  }
}

export interface ZookeeperMemberOptions {
  /** How long a member takes to apply what it has heard of. */
  readonly lagMs: number
  /** Do lists show what this member has, however old? */
  readonly staleReads: boolean
}

/** How long a member waits until it has what it was asked for. */
const patienceMs = 2_000

export function zookeeperMember(
  member: Member,
  log: ZookeeperLog,
  options: ZookeeperMemberOptions,
): LinkService {
  const { runtime, number } = member
  const replica = log.replicas[number]
  if (replica === undefined) throw new UnavailableError('there is no such member')
  replica.hangUp()
  const { registry, locks, bells } = replica
  const watchers = new Set<LinkTeller>()

  /** Follows the leader for ever. Without one, nobody is left watching what does not move. */
  function followLeader(): void {
    const again = (): void => {
      for (const watcher of [...watchers]) watcher.over(moved('this member has lost its leader'))
      watchers.clear()
      runtime.timers.schedule(250, followLeader)
    }
    const news = (length: unknown): void => {
      runtime.timers.schedule(options.lagMs, () => log.advance(number, Number(length)))
    }
    try {
      member.follow('zk.commits', { news, over: again })
    } catch (error) {
      if (!isHoldfastError(error)) throw error
      again()
    }
  }
  followLeader()

  /** @returns whether it has got there in time. */
  async function has(length: number): Promise<boolean> {
    if (replica === undefined || replica.applied >= length) return true
    return new Promise((resolve) => {
      const finish = (got: boolean): void => {
        stop()
        timer.cancel()
        resolve(got)
      }
      const stop = bells.listen('applied', () => replica.applied >= length && finish(true))
      const timer = runtime.timers.schedule(patienceMs, () => finish(false))
    })
  }

  /** A client reads its own writes at the member that wrote them. */
  async function write<Answer>(one: ZookeeperWrite): Promise<Answer> {
    const { answer, length } = await member.ask<Written>('zk.write', one)
    if (await has(length)) return answer as Answer
    throw new OutcomeUnknownError('this member has not heard what became of the write')
  }

  async function sync(): Promise<void> {
    if (await has(await member.ask<number>('zk.length'))) return
    throw moved('this member is behind')
  }

  async function read<Value>(look: () => Value): Promise<Value> {
    if (!options.staleReads) await sync()
    return look()
  }

  function watchFrom(prefix: string, from: bigint | undefined, teller: LinkTeller): () => void {
    let seen = from
    let over = false
    let stop = (): void => {}
    const look = (): void => {
      if (over) return
      const told = registry.after(prefix, seen)
      seen = told.seen
      over = told.changes[0]?.kind === 'compacted'
      for (const change of told.changes) teller.news(change)
    }
    watchers.add(teller)
    runtime.tasks.spawn('begin a watch', async () => {
      try {
        await sync()
        if (over) return
        look()
        stop = bells.listen('registry', look)
      } catch (error) {
        if (!isHoldfastError(error)) throw error
        if (!over) teller.over(moved(error.message))
      }
    })
    return () => {
      over = true
      watchers.delete(teller)
      stop()
    }
  }

  /** One-shot, as a watch on a node is: it tells once, and whoever wants to know more asks again. */
  function watchOnce(name: string, teller: LinkTeller): () => void {
    const stop = bells.listen(leaseTopic(name), () => {
      stop()
      watchers.delete(teller)
      teller.news(0)
      teller.over(new UnavailableError('the watch has told what it had to tell'))
    })
    watchers.add(teller)
    return () => {
      stop()
      watchers.delete(teller)
    }
  }

  const leases = leaseService({
    async acquire() {
      throw new UnavailableError('a lease is asked for within a session')
    },
    renew: (lease, ttlMs) => member.ask<number>('zk.renew', lease, ttlMs),
    release: ({ name, token, attemptId }) => write({ kind: 'release', name, token, attemptId }),
    async withdraw(name, attemptId) {
      requireText('name', name, 512)
      await write({ kind: 'withdraw', name, attemptId })
    },
    list: (prefix, page) => read(() => locks.list(prefix, page)),
    async evict(name) {
      requireText('name', name, 512)
      return write({ kind: 'evict', name })
    },
    watch: () => () => {},
  })
  const own: LinkService = {
    calls: {
      'zk.open': async (ttlMs: number) => {
        requireTtl(ttlMs)
        const session = runtime.random.id('zookeeper-session')
        return write({ kind: 'open', session, ttlMs, owner: '' })
      },
      'zk.join': async (request: Extract<ZookeeperWrite, { readonly kind: 'join' }>) => {
        requireLease(request)
        return write(request)
      },
      'zk.drop': (request: Extract<ZookeeperWrite, { readonly kind: 'drop' }>) => write(request),
    },
    sources: { 'leases.watch': (teller, name: string) => watchOnce(name, teller) },
  }
  const registered = registryService({
    async openSession({ ttlMs, owner }) {
      requireInteger('ttlMs', ttlMs, zookeeperLimits.ttlMinMs, 3_600_000)
      requireLength('owner', owner, 200)
      return write({
        kind: 'open',
        session: runtime.random.id('zookeeper-session'),
        ttlMs,
        owner,
      })
    },
    keepAlive: (session) => member.ask<boolean>('zk.touch', session),
    closeSession: (session) => write({ kind: 'end', session, expired: false }),
    register: (session, key, value) => write({ kind: 'register', session, key, value }),
    deregister: (session, key) => write({ kind: 'deregister', session, key }),
    list: (prefix) => read(() => registry.list(prefix)),
    watch: watchFrom,
  })
  return services(leases, registered, own)
}
