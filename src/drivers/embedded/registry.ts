/**
 * The registry in one SQLite file: who is here on this machine. Sessions end by the machine's
 * monotonic clock; changes get one revision each; watchers follow the history by hints and a slow poll.
 *
 * It is kept at relaxed durability by default. A power cut ends every process it lists, so there is
 * nothing in it worth an fsync per heartbeat.
 */
import { LeaseLostError, LimitExceededError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import { requireInteger, requireLength } from '../../ports/arguments.ts'
import type { Registry, Session } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile, SqlOutcome, SqlStatement } from '../../runtime/sql.ts'
import { keyRange } from './key-range.ts'
import { requireName, requireNoNul } from './names.ts'
import { type LivingSession, livingSession, type SessionStore } from './registry-session.ts'
import {
  bootStatements,
  closeSessionStatements,
  deregisterStatements,
  entriesMax,
  entriesStatement,
  keepAliveStatement,
  openSessionStatements,
  registerAnswers,
  registerStatements,
  sessionsMax,
  sweepStatements,
} from './registry-statements.ts'
import { entryOf, type RegistryReading, readStand, watchRegistry } from './registry-watch.ts'
import { topicOf } from './topic.ts'

const sessionTtlMinMs = 500
const sessionTtlMaxMs = 3_600_000
const valueLengthMax = 16_384

export interface EmbeddedRegistryOptions {
  readonly namespace: string
  readonly pollMs: number
  readonly durability: 'full' | 'relaxed'
  readonly observer: Observer
}

/** A registry with a lifetime: `stop` closes the sessions that were opened here. */
export interface EmbeddedRegistry extends Registry {
  stop(): Promise<void>
}

export async function embeddedRegistry(
  file: SqlFile,
  runtime: Runtime,
  options: EmbeddedRegistryOptions,
): Promise<EmbeddedRegistry> {
  const { namespace, durability, observer } = options
  const topic = topicOf('registry', namespace, '')
  const reading: RegistryReading = { file, runtime, namespace, topic, pollMs: options.pollMs }
  const sessions = new Map<string, LivingSession>()
  const nowMs = (): number => runtime.clock.monotonicMs()
  const change = (statements: readonly SqlStatement[]): Promise<SqlOutcome> =>
    file.run({ statements, durability, hints: [topic] })

  const store: SessionStore = {
    async keepAlive(id, expiresMs) {
      const statements = [keepAliveStatement(namespace, id, expiresMs)]
      const { results } = await file.run({ statements, durability: 'relaxed' })
      return results[0]?.changes === 1
    },
    async end(id, cause) {
      await change(closeSessionStatements(namespace, id, cause))
    },
  }

  await file.run({
    statements: bootStatements(namespace, runtime.clock.bootId),
    durability: 'full',
  })

  return {
    capabilities: {
      sessionTtlMinMs,
      consistency: 'CP',
      notification: 'hint-and-poll',
      durability:
        durability === 'full'
          ? 'changes survive a power cut; sessions end with the boot'
          : 'changes survive the death of a process, not a power cut; sessions end with the boot',
    },

    async openSession({ ttlMs, owner }) {
      requireInteger('ttlMs', ttlMs, sessionTtlMinMs, sessionTtlMaxMs)
      requireLength('owner', owner, 200)
      requireNoNul('owner', owner)
      const id = runtime.random.id('registry-session')
      const startedMs = nowMs()
      const session = { id, owner, expiresMs: startedMs + ttlMs }
      const { results, refusedAt } = await file.run({
        statements: openSessionStatements(namespace, session),
        durability,
      })
      if (refusedAt !== undefined) throw tooMany('sessions', sessionsMax)
      const incarnation = BigInt(results[0]?.rows[0]?.incarnation as bigint)
      const living = livingSession(
        runtime,
        store,
        { id, incarnation, ttlMs, startedMs, owner },
        { observer, ended: (ended) => sessions.delete(ended) },
      )
      // It may be over already, if this process was paused since it asked.
      if (!living.lost.aborted) sessions.set(id, living)
      return living
    },

    async register(session, key, value) {
      requireName('key', key, 512)
      requireLength('value', value, valueLengthMax)
      requireNoNul('value', value)
      requireAlive(session)
      const statements = registerStatements(namespace, { sessionId: session.id, key, value })
      const answer = registration(await change(statements))
      if (answer.revision !== undefined) return answer.revision
      if (!answer.alive) throw sessionOver(session)
      // What is in the way may belong to a session that has run out.
      const swept = [...sweepStatements(namespace, nowMs()), ...statements]
      const again = registration(await change(swept))
      if (again.revision !== undefined) return again.revision
      if (!again.alive) throw sessionOver(session)
      if (again.taken) return undefined
      throw tooMany('entries', entriesMax)
    },

    async deregister(session, key) {
      requireName('key', key, 512)
      const { results } = await change(deregisterStatements(namespace, session.id, key))
      return results.at(-1)?.changes === 1
    },

    async list(prefix) {
      requireLength('prefix', prefix, 512)
      const stand = await readStand(reading, entriesStatement(namespace, keyRange(prefix)))
      return { revision: stand.revision, entries: stand.rows.map(entryOf) }
    },

    watch(prefix, watchOptions) {
      requireLength('prefix', prefix, 512)
      return watchRegistry(reading, prefix, watchOptions)
    },

    async stop() {
      // Best effort: what cannot be removed now ends with its session's time to live.
      await Promise.all([...sessions.values()].map((session) => session.close().catch(() => {})))
    },
  }

  function tooMany(what: string, max: number): LimitExceededError {
    return new LimitExceededError(`the registry of "${namespace}" holds ${max} ${what} already`, {
      details: { namespace, max },
    })
  }
}

interface RegistrationAnswer {
  /** Absent if nothing was written. */
  readonly revision: bigint | undefined
  /** Is the session there? */
  readonly alive: boolean
  /** Does the key exist? */
  readonly taken: boolean
}

function registration({ results }: SqlOutcome): RegistrationAnswer {
  const revision = results.at(registerAnswers.written)?.rows[0]?.revision
  return {
    revision: typeof revision === 'bigint' ? revision : undefined,
    alive: results.at(registerAnswers.session)?.rows.length === 1,
    taken: results.at(registerAnswers.entry)?.rows.length === 1,
  }
}

function requireAlive(session: Session): void {
  if (session.lost.aborted) throw sessionOver(session)
}

function sessionOver(session: Session): LeaseLostError {
  return new LeaseLostError(`session ${session.id} is over`, { details: { id: session.id } })
}
