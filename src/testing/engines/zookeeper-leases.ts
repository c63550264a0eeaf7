/**
 * Leases on sessions, as a client of ZooKeeper has them. A time to live belongs to a session, so the client
 * keeps one session for each time to live that it is asked for, and all leases of that time end with it. The
 * session is kept alive whether a lease is renewed or not; a lease that was not is therefore taken away by
 * the client itself, and so is a place in line whose time is up, and whatever an unanswered question may
 * have left behind.
 */
import { followHints } from '../../drivers/cluster/link/hints.ts'
import type { Link } from '../../drivers/cluster/link/link.ts'
import { remoteLeases } from '../../drivers/cluster/link/remote-leases.ts'
import type { OpenedSession } from '../../drivers/cluster/link/remote-registry.ts'
import { remoteSession } from '../../drivers/cluster/link/remote-session.ts'
import {
  isHoldfastError,
  LeaseLostError,
  LimitExceededError,
  outcomeOf,
  UnavailableError,
} from '../../errors.ts'
import { requireText } from '../../ports/arguments.ts'
import type { Lease, LeaseCapabilities, LeaseRequest, LeaseStore } from '../../ports/lease-store.ts'
import type { Session } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { requireLease } from './zookeeper-locks.ts'
import type { JoinAnswer } from './zookeeper-member.ts'
import { sessionOver } from './zookeeper-replica.ts'

export interface ZookeeperLeases extends LeaseStore {
  /** Closes the sessions, as far as it can. */
  stop(): Promise<void>
}

/** What this client has asked for in a session: a lease, a place in line, or nobody knows. */
interface Stake {
  readonly session: Session
  readonly name: string
  readonly attemptId: string
  readonly order: number
  /** When the client takes it away, by its own clock. */
  endsMs: number
  validUntilMs: number
  granted: boolean
  /** Could a question still be on its way? */
  uncertain: boolean
  /** Questions under way: it is not taken away under their feet. */
  asking: number
  leaving: boolean
}

const sessionsMax = 64
/** For how long a question that was not answered may still arrive. */
const lateMs = 10_000
const againMs = 500

export function zookeeperLeases(
  runtime: Runtime,
  link: Link,
  capabilities: LeaseCapabilities,
): ZookeeperLeases {
  const { clock, timers, tasks } = runtime
  const nowMs = (): number => clock.monotonicMs()
  const sessions = new Map<number, Promise<Session>>()
  const stakes = new Map<string, Stake>()
  const plain = remoteLeases(runtime, link, capabilities)
  const keyOf = ({ name, attemptId }: Pick<Lease, 'name' | 'attemptId'>): string =>
    JSON.stringify([name, attemptId])
  const client = runtime.random.id('zookeeper-client')
  let lastOrder = 0

  async function openSession(ttlMs: number): Promise<Session> {
    const askedMs = nowMs()
    const opened = await link.call<OpenedSession>('zk.open', ttlMs)
    return remoteSession(runtime, {
      ...opened,
      ttlMs,
      askedMs,
      keepAlive: () => link.call<boolean>('zk.touch', opened.id, clock.wallMs()),
      end: () => link.call<void>('registry.closeSession', opened.id),
      over: () => void sessions.delete(ttlMs),
    })
  }

  async function sessionOf(ttlMs: number): Promise<Session> {
    const known = sessions.get(ttlMs)
    const session = await known
    if (session !== undefined && !session.lost.aborted) return session
    if (sessions.get(ttlMs) === known) sessions.delete(ttlMs)
    const other = sessions.get(ttlMs)
    if (other !== undefined) return other
    if (sessions.size >= sessionsMax) {
      throw new LimitExceededError(`leases of ${sessionsMax} different times to live are held`)
    }
    const opening = openSession(ttlMs)
    sessions.set(ttlMs, opening)
    opening.catch(() => sessions.get(ttlMs) === opening && sessions.delete(ttlMs))
    return opening
  }

  function forget(stake: Stake): void {
    stake.leaving = true
    if (stakes.get(keyOf(stake)) === stake) stakes.delete(keyOf(stake))
  }

  /** Looks after a stake until it is time to take it away. */
  async function watchOver(stake: Stake): Promise<void> {
    while (!stake.leaving && !stake.session.lost.aborted) {
      const leftMs = stake.endsMs - nowMs()
      if (leftMs <= 0 && stake.asking === 0) return takeAway(stake)
      await sleep(timers, Math.max(leftMs, 10), { background: true })
    }
    forget(stake)
  }

  async function takeAway(stake: Stake): Promise<void> {
    stake.leaving = true
    const { session, name, attemptId, order } = stake
    const untilMs = nowMs() + lateMs
    while (!session.lost.aborted) {
      const drop = { kind: 'drop', name, client, attemptId, order }
      try {
        const done = (await link.call<boolean>('zk.drop', drop)) || !stake.uncertain
        if (done || nowMs() > untilMs) break
      } catch (error) {
        if (!isHoldfastError(error)) throw error
      }
      await sleep(timers, againMs, { background: true })
    }
    forget(stake)
  }

  function stakeFor(request: LeaseRequest, session: Session): Stake {
    const known = stakes.get(keyOf(request))
    if (known !== undefined && !known.leaving && known.session === session) return known
    const { name, attemptId, ttlMs } = request
    const stake: Stake = {
      session,
      name,
      attemptId,
      order: ++lastOrder,
      endsMs: nowMs() + ttlMs,
      validUntilMs: Number.POSITIVE_INFINITY,
      granted: false,
      uncertain: false,
      asking: 0,
      leaving: false,
    }
    stakes.set(keyOf(request), stake)
    return stake
  }

  function hear(stake: Stake, request: LeaseRequest, askedMs: number, answer: JoinAnswer): Lease {
    const { name, attemptId, ttlMs } = request
    const { token, validForMs } = answer
    if (!stake.granted) {
      stake.granted = true
      stake.endsMs = askedMs + ttlMs
    }
    stake.validUntilMs = Math.min(stake.validUntilMs, askedMs + validForMs)
    return { name, attemptId, token, validUntilMs: stake.validUntilMs }
  }

  /** @returns `sessionOver` if it must be asked anew, in another session. */
  async function ask(request: LeaseRequest): Promise<Lease | undefined | typeof sessionOver> {
    const session = await sessionOf(request.ttlMs)
    const before = stakes.get(keyOf(request))
    const stake = stakeFor(request, session)
    const fresh = stake !== before
    const { order } = stake
    const askedMs = nowMs()
    stake.asking += 1
    try {
      const join = { kind: 'join', ...request, session: session.id, client, order }
      const answer = await link.call<JoinAnswer | typeof sessionOver | undefined>('zk.join', join)
      if (answer === sessionOver) {
        sessions.delete(request.ttlMs)
        forget(stake)
        return sessionOver
      }
      if (answer !== undefined) return hear(stake, request, askedMs, answer)
      if (request.queueForMs !== undefined) stake.endsMs = askedMs + request.queueForMs
      else if (fresh) forget(stake)
      return undefined
    } catch (error) {
      if (outcomeOf(error) === 'unknown') {
        stake.uncertain = true
        if (!stake.granted) stake.endsMs = Math.max(nowMs(), askedMs + request.ttlMs)
      } else if (fresh) forget(stake)
      throw error
    } finally {
      stake.asking -= 1
      if (fresh && !stake.leaving) tasks.spawn('look after a lease', () => watchOver(stake))
    }
  }

  return {
    ...plain,
    async acquire(request) {
      requireLease(request)
      for (let tries = 0; tries < 2; tries += 1) {
        const answer = await ask(request)
        if (answer !== sessionOver) return answer
      }
      throw new UnavailableError('the session ended before the question came')
    },
    async renew(lease, ttlMs) {
      const stake = stakes.get(keyOf(lease))
      if (stake !== undefined && (stake.leaving || stake.endsMs <= nowMs())) {
        throw new LeaseLostError(`lease ${lease.token} of "${lease.name}" ran out`)
      }
      const askedMs = nowMs()
      if (stake !== undefined) stake.asking += 1
      try {
        const renewed = await plain.renew(lease, ttlMs)
        if (stake?.granted) {
          stake.endsMs = Math.max(stake.endsMs, askedMs + ttlMs)
          stake.validUntilMs = Math.max(stake.validUntilMs, renewed.validUntilMs)
        }
        return renewed
      } finally {
        if (stake !== undefined) stake.asking -= 1
      }
    },
    async release(lease) {
      const released = await plain.release(lease)
      const stake = stakes.get(keyOf(lease))
      if (released && stake !== undefined) forget(stake)
      return released
    },
    async withdraw(name, attemptId) {
      await plain.withdraw(name, attemptId)
      const stake = stakes.get(keyOf({ name, attemptId }))
      if (stake !== undefined && !stake.granted && !stake.uncertain) forget(stake)
    },
    watch(name, wake) {
      requireText('name', name, 512)
      return followHints(runtime, link, 'leases.watch', [name], wake)
    },
    async stop() {
      const opened = await Promise.allSettled([...sessions.values()])
      const living = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      await Promise.allSettled(living.map((session) => session.close()))
    },
  }
}
