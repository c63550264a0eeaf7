/**
 * Leases over a link. The server counts by its own clock and says how long a lease is still good; the
 * client counts that from before its request left, so that time on the way is never promised to anybody.
 */
import { requireText } from '../../../ports/arguments.ts'
import type {
  Lease,
  LeaseCapabilities,
  LeaseInfo,
  LeaseRequest,
  LeaseStore,
} from '../../../ports/lease-store.ts'
import type { Runtime } from '../../../runtime/runtime.ts'
import { followHints } from './hints.ts'
import type { Link } from './link.ts'
import type { LinkService } from './link-server.ts'

/** A lease as it is named to the server. */
export interface LeaseName {
  readonly name: string
  readonly token: bigint
  readonly attemptId: string
}

export interface LeaseGrant {
  readonly token: bigint
  /** Until its end by the server's clock, less the drift margin. */
  readonly validForMs: number
}

/** What a model of a lease store does on the server's side. Meanings and errors as in `LeaseStore`. */
export interface ServedLeases {
  acquire(request: LeaseRequest): Promise<LeaseGrant | undefined>
  renew(lease: LeaseName, ttlMs: number): Promise<number>
  release(lease: LeaseName): Promise<boolean>
  withdraw(name: string, attemptId: string): Promise<void>
  list(
    prefix: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly LeaseInfo[]>
  evict(name: string): Promise<boolean>
  watch(name: string, wake: () => void, attemptId?: string): () => void
}

export function leaseService(leases: ServedLeases): LinkService {
  return {
    calls: {
      'leases.acquire': leases.acquire,
      'leases.renew': leases.renew,
      'leases.release': leases.release,
      'leases.withdraw': leases.withdraw,
      'leases.list': leases.list,
      'leases.evict': leases.evict,
    },
    sources: {
      'leases.watch': ({ news }, name: string, attemptId: string | null) =>
        leases.watch(name, () => news(0), attemptId ?? undefined),
    },
  }
}

/** How many granted leases a client remembers, to answer a repeated attempt no better than the first. */
const rememberedMax = 1_000

export function remoteLeases(
  runtime: Runtime,
  link: Link,
  capabilities: LeaseCapabilities,
): LeaseStore {
  const known = new Map<string, number>()
  const nowMs = (): number => runtime.clock.monotonicMs()
  const named = ({ name, token, attemptId }: Lease): LeaseName => ({ name, token, attemptId })

  function remember({ attemptId, token }: Lease, validUntilMs: number): void {
    known.set(`${token} ${attemptId}`, validUntilMs)
    const [oldest] = known.keys()
    if (known.size > rememberedMax && oldest !== undefined) known.delete(oldest)
  }

  return {
    capabilities,
    async acquire(request) {
      const askedMs = nowMs()
      const grant = await link.call<LeaseGrant | undefined>('leases.acquire', request)
      if (grant === undefined) return undefined
      const { name, attemptId } = request
      const before = known.get(`${grant.token} ${attemptId}`) ?? Number.POSITIVE_INFINITY
      const validUntilMs = Math.min(before, askedMs + grant.validForMs)
      const lease = { name, attemptId, token: grant.token, validUntilMs }
      remember(lease, validUntilMs)
      return lease
    },
    async renew(lease, ttlMs) {
      const askedMs = nowMs()
      const validForMs = await link.call<number>('leases.renew', named(lease), ttlMs)
      const validUntilMs = Math.max(lease.validUntilMs, askedMs + validForMs)
      remember(lease, validUntilMs)
      return { ...lease, validUntilMs }
    },
    release: (lease) => link.call<boolean>('leases.release', named(lease)),
    async withdraw(name, attemptId) {
      await link.call('leases.withdraw', name, attemptId)
    },
    watch(name, wake, attemptId) {
      requireText('name', name, 512)
      return followHints(runtime, link, 'leases.watch', [name, attemptId ?? null], wake)
    },
    list: (prefix, page) => link.call<readonly LeaseInfo[]>('leases.list', prefix, page),
    evict: (name) => link.call<boolean>('leases.evict', name),
  }
}
