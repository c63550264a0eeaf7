/**
 * Leases in one SQLite file. The file's single writer makes every decision atomic, the machine's
 * monotonic clock with its boot id makes expiry the same for all processes, and the row that outlives
 * its leases makes tokens grow.
 *
 * Only the batch that grants a token pays for full durability: a token that was seen must never be
 * granted again. Renewals, releases and places in line may be lost in a power cut, because the power
 * cut ends this boot and with it every lease and every waiter.
 */
import { LeaseLostError, LimitExceededError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import { requireInteger, requireLength } from '../../ports/arguments.ts'
import {
  type Lease,
  type LeaseCapabilities,
  type LeaseRequest,
  type LeaseStore,
  leaseDriftMargin,
} from '../../ports/lease-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile, SqlRow } from '../../runtime/sql.ts'
import { keyRange } from './key-range.ts'
import {
  acquireAnswers,
  acquireStatements,
  bootStatements,
  evictStatement,
  type LeaseScope,
  leaseWaitersMax,
  listStatement,
  releaseStatement,
  renewStatement,
  withdrawStatement,
} from './lease-statements.ts'
import { leaseWatches } from './lease-watch.ts'
import { requireName, requireNoNul } from './names.ts'
import { topicOf } from './topic.ts'

const ttlMinMs = 10
const ttlMaxMs = 86_400_000
const queueForMaxMs = 3_600_000

export interface EmbeddedLeaseOptions {
  readonly namespace: string
  /** How often a watched name is looked at without a hint. */
  readonly pollMs: number
  readonly durability: 'full' | 'relaxed'
  readonly observer: Observer
}

/** A lease store with a lifetime: `stop` ends its watches and timers. */
export interface EmbeddedLeaseStore extends LeaseStore {
  stop(): void
}

export async function embeddedLeaseStore(
  file: SqlFile,
  runtime: Runtime,
  options: EmbeddedLeaseOptions,
): Promise<EmbeddedLeaseStore> {
  const { namespace, durability, observer } = options
  const boot = runtime.clock.bootId
  const scope = (): LeaseScope => ({ namespace, boot, nowMs: runtime.clock.monotonicMs() })
  const hints = (name: string): string[] => [topicOf('lease', namespace, name)]
  const watches = leaseWatches(file, runtime, { namespace, pollMs: options.pollMs, scope })

  await file.run({ statements: bootStatements(namespace, boot), durability })

  return {
    capabilities: capabilitiesOf(durability),

    async acquire(request) {
      validate(request)
      const { name, ttlMs, attemptId, holder = '', queueForMs } = request
      // A share of acquisitions forgets old free names: on average more than each can add.
      const sweep = runtime.random.fraction('lease-sweep') < 1 / 64
      const ask = { name, attemptId, holder, ttlMs, queueForMs, sweep }
      const { results } = await file.run({
        statements: acquireStatements(scope(), ask),
        durability,
      })
      const row = results[acquireAnswers.lease]?.rows[0]
      if (row !== undefined) {
        return { name, attemptId, token: BigInt(row.token as bigint), validUntilMs: validity(row) }
      }
      const inLine = results[acquireAnswers.inLine]?.rows.length === 1
      if (queueForMs === undefined || inLine) return undefined
      throw new LimitExceededError(`${leaseWaitersMax} already wait for "${name}"`, {
        details: { name, waitersMax: leaseWaitersMax },
      })
    },

    async renew(lease, ttlMs) {
      requireLease(lease)
      requireInteger('ttlMs', ttlMs, ttlMinMs, ttlMaxMs)
      const { results } = await file.run({
        statements: [renewStatement(scope(), lease, ttlMs)],
        durability: 'relaxed',
      })
      const row = results[0]?.rows[0]
      if (row === undefined) {
        throw new LeaseLostError(`lease ${lease.token} of "${lease.name}" is gone`, {
          details: { name: lease.name, token: String(lease.token) },
        })
      }
      return { ...lease, validUntilMs: Math.max(lease.validUntilMs, validity(row)) }
    },

    async release(lease) {
      requireLease(lease)
      const { results } = await file.run({
        statements: [releaseStatement(scope(), lease)],
        durability: 'relaxed',
        hints: hints(lease.name),
      })
      return results[0]?.changes === 1
    },

    async withdraw(name, attemptId) {
      requireName('name', name, 512)
      requireName('attemptId', attemptId, 64)
      await file.run({
        statements: [withdrawStatement(namespace, name, attemptId)],
        durability: 'relaxed',
        hints: hints(name),
      })
    },

    watch(name, wake, attemptId) {
      requireName('name', name, 512)
      return watches.watch(name, wake, attemptId)
    },

    async list(prefix, { after = '', limit }) {
      requireLength('prefix', prefix, 512)
      requireLength('after', after, 512)
      requireInteger('limit', limit, 1, 1_000)
      const now = scope()
      const { results } = await file.run({
        statements: [listStatement(now, { ...keyRange(prefix), after }, limit)],
        mode: 'read',
      })
      return (results[0]?.rows ?? []).map((row) => ({
        name: String(row.name),
        token: BigInt(row.token as bigint),
        holder: String(row.holder),
        remainingMs: Number(row.expires_ms) - now.nowMs,
        waiters: Number(row.waiters),
      }))
    },

    async evict(name) {
      requireName('name', name, 512)
      const { results } = await file.run({
        statements: [evictStatement(scope(), name)],
        durability: 'relaxed',
        hints: hints(name),
      })
      const evicted = results[0]?.changes === 1
      if (evicted) observer.event('leaseEvicted', { namespace, name })
      return evicted
    },

    stop: watches.stop,
  }
}

function validate({ name, ttlMs, attemptId, holder = '', queueForMs }: LeaseRequest): void {
  requireName('name', name, 512)
  requireName('attemptId', attemptId, 64)
  requireInteger('ttlMs', ttlMs, ttlMinMs, ttlMaxMs)
  requireLength('holder', holder, 200)
  requireNoNul('holder', holder)
  if (queueForMs !== undefined) requireInteger('queueForMs', queueForMs, 1, queueForMaxMs)
}

function requireLease(lease: Lease): void {
  requireName('name', lease.name, 512)
  requireName('attemptId', lease.attemptId, 64)
}

/** All processes of a machine read one clock, so the row's end needs no translation, only the margin. */
function validity(row: SqlRow): number {
  return Number(row.expires_ms) - Number(row.ttl_ms) * leaseDriftMargin
}

function capabilitiesOf(durability: 'full' | 'relaxed'): LeaseCapabilities {
  return {
    ttlMinMs,
    ttlStepMs: 1,
    ttlScope: 'lease',
    fairness: 'fifo',
    clock: 'machine-monotonic',
    fencing:
      durability === 'full'
        ? 'a counter in the row of the name; it never repeats while the file is kept'
        : 'a counter in the row of the name; after a power cut the last tokens can repeat',
    durability:
      durability === 'full'
        ? 'a granted token survives a power cut; leases themselves end with the boot'
        : 'a granted token survives the death of the process, not a power cut',
  }
}
