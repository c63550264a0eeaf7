/**
 * Work in one SQLite file: queues with leases, delays, priorities, order by key and dead letters. Each
 * call is one batch, decided in SQL; each idea has its file: publish, claim, settle, stats, dead letters.
 *
 * - Order by key: while a message of a key is delayed, in flight, expired or waiting for its retry, the
 *   later ones of that key wait ("block the key"). When it is dead, they go on.
 * - A full queue: `reject` refuses, `drop-oldest` drops messages that are due and unclaimed, and
 *   refuses if there are too few of those.
 * - Dead letters do not count towards the length. The oldest beyond 100,000 are dropped and counted.
 * - Full durability: what was published, settled or counted as an attempt survives a power cut. Relaxed:
 *   a power cut may take the last of it: a message again that was done, or none that was published.
 */
import { InvalidArgumentError, LimitExceededError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import { requireInteger } from '../../ports/arguments.ts'
import type { QueueLimits, WorkMessage, WorkStore } from '../../ports/work-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile, SqlOutcome, SqlStatement } from '../../runtime/sql.ts'
import { dueClock } from './due-clock.ts'
import { topicOf } from './topic.ts'
import { wakeups } from './wakeups.ts'
import {
  requireClaim,
  requireIds,
  requireLease,
  requireLimits,
  requireMessages,
  requireQueue,
  requireReceipts,
  requireSettlements,
} from './work-arguments.ts'
import { claimed, claimStatements } from './work-claim.ts'
import {
  deadLetterStatements,
  deadLetters,
  redriven,
  redriveStatements,
} from './work-dead-letters.ts'
import { forgetEvery, type Published, publishBatch } from './work-publish.ts'
import { declareStatements, findStatement } from './work-queue.ts'
import type { WorkScope } from './work-scope.ts'
import { extended, extendStatement, settleBatch } from './work-settle.ts'
import { queueStats, statsStatements } from './work-stats.ts'
import { queuesMax } from './work-tables.ts'

export interface EmbeddedWorkOptions {
  readonly namespace: string
  /** How often a watched queue is looked at without a hint. */
  readonly pollMs: number
  readonly durability: 'full' | 'relaxed'
  readonly observer: Observer
}

/** A work store with a lifetime: `stop` ends its watches and timers. */
export interface EmbeddedWorkStore extends WorkStore {
  stop(): void
}

const durabilityOf = {
  full: 'survives a power cut once the call returned',
  relaxed: 'survives the death of the process; a power cut may take the last calls',
} as const

export function embeddedWorkStore(
  file: SqlFile,
  runtime: Runtime,
  { namespace, pollMs, durability, observer }: EmbeddedWorkOptions,
): EmbeddedWorkStore {
  const now = dueClock(runtime.clock)
  const topic = (queue: string): string => topicOf('work', namespace, queue)
  const wakes = wakeups(file, runtime, pollMs)
  // Queues are never removed, so a number once learnt stays true.
  const numbers = new Map<string, number>()
  const dropping = new Set<string>()

  const read = (statements: readonly SqlStatement[]): Promise<SqlOutcome> =>
    file.run({ statements, mode: 'read' })
  const write = (queue: string, statements: readonly SqlStatement[], wakesOthers: boolean) =>
    file.run({ statements, durability, hints: wakesOthers ? [topic(queue)] : [] })

  async function declare(queue: string, limits: QueueLimits): Promise<void> {
    requireQueue(queue)
    requireLimits(limits)
    const statements = declareStatements(namespace, queue, limits)
    const { results, refusedAt } = await write(queue, statements, false)
    const number = results[0]?.rows[0]?.id
    if (refusedAt === undefined && typeof number === 'number') numbers.set(queue, number)
    else throw new LimitExceededError(`the file holds ${queuesMax} queues, its limit`)
  }

  /** The time is read last, so that it is as young as can be when the batch runs. */
  async function scopeOf(queue: string): Promise<WorkScope> {
    const known = numbers.get(queue)
    if (known !== undefined) return { queue: known, now: now() }
    requireQueue(queue)
    const { results } = await read([findStatement(namespace, queue)])
    const found = results[0]?.rows[0]?.id
    if (typeof found !== 'number') {
      throw new InvalidArgumentError(`queue "${queue}" is not declared; call declare first`)
    }
    numbers.set(queue, found)
    return { queue: found, now: now() }
  }

  /** Making room costs a statement, so it is done only for queues that were seen full. */
  async function publishOnce(
    queue: string,
    scope: WorkScope,
    messages: readonly WorkMessage[],
  ): Promise<Published | undefined> {
    const forget =
      messages.length >= forgetEvery || runtime.random.fraction('work-forget') < 1 / forgetEvery
    for (const makeRoom of dropping.has(queue) ? [true] : [false, true]) {
      const batch = publishBatch(scope, messages, { forget, makeRoom })
      const answer = batch.answer(await write(queue, batch.statements, true))
      if (answer !== undefined && answer.dropped > 0) dropping.add(queue)
      if (answer !== undefined) return answer
    }
    return undefined
  }

  function noteDropped(queue: string, what: 'message' | 'dead letter', dropped: number): void {
    if (dropped === 0) return
    observer.event('workDropped', { queue, what, dropped })
    observer.count('workDropped', { queue }, dropped)
  }

  return {
    capabilities: {
      delay: 'native',
      priority: 'native',
      attempts: 'native',
      dedup: 'native',
      orderByKey: 'native',
      durability: durabilityOf[durability],
    },
    declare,

    async publish(queue, messages) {
      requireMessages(messages)
      const scope = await scopeOf(queue)
      const answer = await publishOnce(queue, scope, messages)
      if (answer === undefined) return 'full'
      noteDropped(queue, 'message', answer.dropped)
      return answer.results
    },

    async claim(queue, request) {
      requireClaim(request)
      const claim = runtime.random.id('work-claim')
      const scope = await scopeOf(queue)
      const validUntilMs = scope.now.monotonicMs + request.leaseMs
      const outcome = await write(queue, claimStatements(scope, request, claim), false)
      const { deliveries, requeued, nextInMs } = claimed(outcome, claim, validUntilMs)
      if (requeued > 0) observer.event('deliveriesExpired', { queue, deliveries: requeued })
      if (deliveries.length < request.limit && nextInMs !== undefined) {
        wakes.alarm(topic(queue), nextInMs)
      }
      return deliveries
    },

    async settle(queue, settlements) {
      requireSettlements(settlements)
      const batch = settleBatch(await scopeOf(queue), settlements)
      if (batch.statements.length === 0) return settlements.map(() => 'lost')
      const { results, lettersDropped } = batch.answer(
        await write(queue, batch.statements, batch.wakes),
      )
      noteDropped(queue, 'dead letter', lettersDropped)
      return results
    },

    async extend(queue, receipts, leaseMs) {
      requireReceipts(receipts)
      requireLease(leaseMs)
      const statement = extendStatement(await scopeOf(queue), receipts, leaseMs)
      return extended(await write(queue, [statement], false), receipts)
    },

    watch(queue, wake) {
      requireQueue(queue)
      return wakes.watch(topic(queue), wake)
    },

    async stats(queue) {
      return queueStats(await read(statsStatements(await scopeOf(queue))))
    },

    async deadLetters(queue, page) {
      requireInteger('limit', page.limit, 1, 1_000)
      const { queue: number } = await scopeOf(queue)
      const letters = deadLetters(await read(deadLetterStatements(number, page)), page.after)
      if (letters !== undefined) return letters
      throw new InvalidArgumentError(`"${page.after}" is no dead letter of "${queue}"`)
    },

    async redrive(queue, ids) {
      requireIds(ids)
      const statements = redriveStatements(await scopeOf(queue), ids)
      return redriven(await write(queue, statements, true))
    },
    stop: wakes.stop,
  }
}
