/**
 * A registry: sessions, their entries, and the history of changes from which watches are fed. The history
 * is bounded, and what is cut from it is honestly `compacted`. Told the time, like the table of leases.
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
import { type OrderedMap, orderedMap } from './ordered-map.ts'
import { timeIndex } from './time-index.ts'

export interface RegistryTable {
  openSession(id: string, options: SessionOptions, nowMs: number): OpenedSession
  keepAlive(id: string, ttlMs: number, nowMs: number): boolean
  closeSession(id: string): void
  /** Ends one session as `expired`, for an engine that counts its time elsewhere. */
  expireSession(id: string): void
  register(id: string, key: string, value: string): bigint | undefined
  deregister(id: string, key: string): boolean
  list(prefix: string): RegistrySnapshot
  /** What a watch that has seen `from` is to be told next. */
  after(prefix: string, from: bigint | undefined): Told
  /** Ends the sessions that have run out. @returns whether there were any. */
  expire(nowMs: number): boolean
  /** When `expire` has something to do next. */
  firstEndMs(): number | undefined
  /** Gives every session its whole time to live again. */
  extend(nowMs: number): void
  /** Forgets the history up to now. */
  compact(): void
  picture(): RegistryPicture
  load(picture: RegistryPicture): void
}

export interface Told {
  readonly changes: readonly RegistryChange[]
  readonly seen: bigint
}

export interface SessionRow {
  readonly id: string
  readonly incarnation: bigint
  readonly ttlMs: number
  readonly endsMs: number
}

export type RegistryEvent = Exclude<RegistryChange, { readonly kind: 'snapshot' | 'compacted' }>

/** All of it as it is now; later changes do not show in it. */
export interface RegistryPicture {
  readonly revision: bigint
  readonly compacted: bigint
  readonly incarnations: bigint
  readonly sessions: Iterable<SessionRow>
  readonly entries: Iterable<RegistryEntry>
  readonly history: readonly RegistryEvent[]
}

export const entriesMax: number = 10_000
export const sessionsMax: number = 10_000

export interface RegistryTableOptions {
  readonly ttlMinMs: number
  /** Changes kept for watches; now and then up to twice as many. */
  readonly historyMax: number
  nextRevision(): bigint
  /** There is news for watches. */
  changed(): void
}

export function registryTable(options: RegistryTableOptions): RegistryTable {
  const { ttlMinMs, historyMax, nextRevision, changed } = options
  const sessions: OrderedMap<SessionRow> = orderedMap()
  const ends = timeIndex()
  const entries: OrderedMap<RegistryEntry> = orderedMap()
  const keysOf = new Map<string, Set<string>>()
  let history: RegistryEvent[] = []
  let revision = 0n
  let compacted = 0n
  let incarnations = 0n

  function tell(event: RegistryEvent): bigint {
    revision = event.revision
    history.push(event)
    if (history.length >= 2 * historyMax) {
      compacted = history[historyMax - 1]?.revision ?? compacted
      history = history.slice(historyMax)
    }
    changed()
    return revision
  }
  function keep(entry: RegistryEntry): void {
    entries.set(entry.key, entry)
    const keys = keysOf.get(entry.sessionId) ?? new Set()
    keysOf.set(entry.sessionId, keys.add(entry.key))
  }
  function remove({ key, sessionId }: RegistryEntry, cause: 'deregistered' | 'expired'): void {
    entries.delete(key)
    keysOf.get(sessionId)?.delete(key)
    tell({ kind: 'removed', revision: nextRevision(), key, sessionId, cause })
  }
  function end(id: string, cause: 'deregistered' | 'expired'): void {
    sessions.delete(id)
    ends.put(id, undefined)
    // Sorted, because the order of insertion is another one after a restore.
    for (const key of [...(keysOf.get(id) ?? [])].sort()) {
      const entry = entries.get(key)
      if (entry !== undefined) remove(entry, cause)
    }
    keysOf.delete(id)
  }
  function storeSession(row: SessionRow): void {
    sessions.set(row.id, row)
    ends.put(row.id, row.endsMs)
  }
  function startingWith(prefix: string): RegistryEntry[] {
    const found: RegistryEntry[] = []
    for (const [key, entry] of entries.from(prefix)) {
      if (!key.startsWith(prefix)) break
      found.push(entry)
    }
    return found
  }

  return {
    openSession(id, { ttlMs, owner }, nowMs) {
      requireInteger('ttlMs', ttlMs, ttlMinMs, 3_600_000)
      requireLength('owner', owner, 200)
      if (sessions.size >= sessionsMax) throw new LimitExceededError(`${sessionsMax} sessions`)
      incarnations += 1n
      storeSession({ id, incarnation: incarnations, ttlMs, endsMs: nowMs + ttlMs })
      return { id, incarnation: incarnations }
    },
    keepAlive(id, ttlMs, nowMs) {
      const session = sessions.get(id)
      if (session === undefined) return false
      requireInteger('ttlMs', ttlMs, ttlMinMs, 3_600_000)
      storeSession({ ...session, endsMs: Math.max(session.endsMs, nowMs + ttlMs) })
      return true
    },
    closeSession: (id) => end(id, 'deregistered'),
    expireSession: (id) => end(id, 'expired'),
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
      const entry = { key, value, sessionId: id, incarnation, revision: nextRevision() }
      keep(entry)
      return tell({ kind: 'put', revision: entry.revision, entry })
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
      const news = history.slice(placeAfter(history, from))
      return { changes: news.filter((event) => keyOf(event).startsWith(prefix)), seen: revision }
    },
    expire(nowMs) {
      const over = [...ends.until(nowMs)]
      for (const id of over) end(id, 'expired')
      return over.length > 0
    },
    firstEndMs: () => ends.firstMs(),
    extend(nowMs) {
      for (const session of [...sessions.picture()]) {
        storeSession({ ...session, endsMs: Math.max(session.endsMs, nowMs + session.ttlMs) })
      }
    },
    compact() {
      compacted = revision
      history = []
    },
    picture: () => ({
      revision,
      compacted,
      incarnations,
      sessions: sessions.picture(),
      entries: entries.picture(),
      history: history.slice(),
    }),
    load(picture) {
      sessions.clear()
      ends.clear()
      entries.clear()
      keysOf.clear()
      for (const session of picture.sessions) storeSession(session)
      for (const entry of picture.entries) keep(entry)
      history = [...picture.history]
      revision = picture.revision
      compacted = picture.compacted
      incarnations = picture.incarnations
    },
  }
}

function keyOf(event: RegistryEvent): string {
  return event.kind === 'put' ? event.entry.key : event.key
}

/** The index of the first event after a revision. */
function placeAfter(history: readonly RegistryEvent[], revision: bigint): number {
  let low = 0
  let high = history.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((history[middle]?.revision ?? 0n) <= revision) low = middle + 1
    else high = middle
  }
  return low
}
