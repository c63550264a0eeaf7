/**
 * A registry in the memory of a model: sessions, their entries, and the history of changes from which
 * watches are fed. The history is bounded, and what is cut from it is honestly `compacted`.
 */
import { LeaseLostError, LimitExceededError } from '../../../errors.ts'
import { requireInteger, requireLength, requireText } from '../../../ports/arguments.ts'
import type {
  RegistryChange,
  RegistryEntry,
  RegistrySnapshot,
  SessionOptions,
} from '../../../ports/registry.ts'
import type { OpenedSession } from '../link/remote-registry.ts'

export interface RegistryTable {
  openSession(id: string, options: SessionOptions, nowMs: number): OpenedSession
  keepAlive(id: string, ttlMs: number, nowMs: number): boolean
  closeSession(id: string): void
  register(id: string, key: string, value: string): bigint | undefined
  deregister(id: string, key: string): boolean
  list(prefix: string): RegistrySnapshot
  /** What a watch that has seen `from` is to be told next. */
  after(prefix: string, from: bigint | undefined): Told
  /** Ends the sessions that have run out. @returns whether there were any. */
  expire(nowMs: number): boolean
  /** Gives every session its whole time to live again. */
  extend(nowMs: number): void
  /** Forgets the history up to now. */
  compact(): void
}

export interface Told {
  readonly changes: readonly RegistryChange[]
  readonly seen: bigint
}

interface SessionRow {
  readonly incarnation: bigint
  readonly ttlMs: number
  readonly endsMs: number
}

type Event = Exclude<RegistryChange, { readonly kind: 'snapshot' | 'compacted' }>

export const entriesMax: number = 10_000
export const sessionsMax: number = 10_000

export interface RegistryTableOptions {
  readonly ttlMinMs: number
  /** Changes kept for watches. */
  readonly historyMax: number
  nextRevision(): bigint
  /** There is news for watches. */
  changed(): void
}

export function registryTable(options: RegistryTableOptions): RegistryTable {
  const { ttlMinMs, historyMax, nextRevision, changed } = options
  const sessions = new Map<string, SessionRow>()
  const entries = new Map<string, RegistryEntry>()
  const history: Event[] = []
  let revision = 0n
  let compacted = 0n
  let incarnations = 0n

  function tell(event: (revision: bigint) => Event): bigint {
    revision = nextRevision()
    history.push(event(revision))
    if (history.length > historyMax) compacted = history.shift()?.revision ?? compacted
    changed()
    return revision
  }
  function remove({ key, sessionId }: RegistryEntry, cause: 'deregistered' | 'expired'): void {
    entries.delete(key)
    tell((revision) => ({ kind: 'removed', revision, key, sessionId, cause }))
  }
  function end(id: string, cause: 'deregistered' | 'expired'): void {
    sessions.delete(id)
    for (const entry of [...entries.values()]) if (entry.sessionId === id) remove(entry, cause)
  }
  const startingWith = (prefix: string): RegistryEntry[] =>
    [...entries.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort((one, other) => (one.key < other.key ? -1 : 1))
  const about = (event: Event): string => (event.kind === 'put' ? event.entry.key : event.key)

  return {
    openSession(id, { ttlMs, owner }, nowMs) {
      requireInteger('ttlMs', ttlMs, ttlMinMs, 3_600_000)
      requireLength('owner', owner, 200)
      if (sessions.size >= sessionsMax) throw new LimitExceededError(`${sessionsMax} sessions`)
      const incarnation = ++incarnations
      sessions.set(id, { incarnation, ttlMs, endsMs: nowMs + ttlMs })
      return { id, incarnation }
    },
    keepAlive(id, ttlMs, nowMs) {
      const session = sessions.get(id)
      if (session === undefined) return false
      sessions.set(id, { ...session, endsMs: Math.max(session.endsMs, nowMs + ttlMs) })
      return true
    },
    closeSession: (id) => end(id, 'deregistered'),
    register(id, key, value) {
      requireText('key', key, 512)
      requireLength('value', value, 16_384)
      const session = sessions.get(id)
      if (session === undefined) throw new LeaseLostError(`session ${id} is over`)
      const there = entries.get(key)
      if (there !== undefined && there.sessionId !== id) return undefined
      if (there === undefined && entries.size >= entriesMax) {
        throw new LimitExceededError(`the registry holds ${entriesMax} entries already`)
      }
      const { incarnation } = session
      return tell((revision) => {
        const entry = { key, value, sessionId: id, incarnation, revision }
        entries.set(key, entry)
        return { kind: 'put', revision, entry }
      })
    },
    deregister(id, key) {
      requireText('key', key, 512)
      const entry = entries.get(key)
      if (entry?.sessionId !== id) return false
      remove(entry, 'deregistered')
      return true
    },
    list(prefix) {
      requireLength('prefix', prefix, 512)
      return { revision, entries: startingWith(prefix) }
    },
    after(prefix, from) {
      if (from === undefined) {
        const snapshot = { kind: 'snapshot', revision, entries: startingWith(prefix) } as const
        return { changes: [snapshot], seen: revision }
      }
      if (from < compacted || from > revision) {
        return { changes: [{ kind: 'compacted', revision }], seen: revision }
      }
      const changes = history.filter(
        (event) => event.revision > from && about(event).startsWith(prefix),
      )
      return { changes, seen: revision }
    },
    expire(nowMs) {
      const over = [...sessions].filter(([, { endsMs }]) => endsMs <= nowMs)
      for (const [id] of over) end(id, 'expired')
      return over.length > 0
    },
    extend(nowMs) {
      for (const [id, session] of sessions) {
        const endsMs = Math.max(session.endsMs, nowMs + session.ttlMs)
        sessions.set(id, { ...session, endsMs })
      }
    },
    compact() {
      compacted = revision
      history.length = 0
    },
  }
}
