/**
 * The judge of a registry sees what every watcher is told, and what every owner was promised:
 *
 *   order      revisions only grow within one watch
 *   gap        a watch of everything misses no revision
 *   agreement  all watchers are told the same under one revision, and so was its writer
 *   snapshot   a snapshot is exactly what the changes up to its revision add up to
 *   stolen     an entry passes to another session only after it was removed, and is removed before its
 *              session ends only by that session
 *   vanished   the entry of a session that is valid is listed
 *   ghost      an entry is not listed when its session has surely ended
 *
 * It knows nothing of how a registry works. Watches take the empty prefix.
 */
import type { RegistryChange, RegistryEntry, RegistrySnapshot } from '../../ports/registry.ts'

export interface RegistryJudge {
  /** One watcher's life: tell it every change, in the order in which it came. */
  watcher(): { told(change: RegistryChange): void }
  /** A registration returned. */
  registered(revision: bigint, key: string, value: string, sessionId: string): void
  /** A session is about to be closed, or to take back one entry, which may be another's. */
  leaves(sessionId: string, key?: string): void
  /** The owner of a session was running at that time; it lives at most `ttlMs` longer. */
  alive(sessionId: string, nowMs: number): void
  /** A list that was asked for at `askedMs`. */
  listed(snapshot: RegistrySnapshot, askedMs: number): void
  /** The owner's own list: its session was still valid when the answer came. */
  mustContain(snapshot: RegistrySnapshot, key: string): void
  /** The machine lost power: what was not synced may be gone, and all sessions are. */
  rebooted(): void
  readonly changes: number
}

/** How much later than the judge knows an owner may have run. */
const slackMs = 500

export function registryJudge(
  ttlMs: number,
  fail: (verdict: string, message: string) => void,
): RegistryJudge {
  const told = new Map<bigint, string>()
  const states = new Map<bigint, string>()
  const lastAlive = new Map<string, number>()
  const leaving = new Set<string>()
  let changes = 0

  function agree(revision: bigint, what: string): void {
    const known = told.get(revision)
    if (known !== undefined && known !== what) {
      fail('agreement', `revision ${revision} is both "${known}" and "${what}"`)
    }
    told.set(revision, what)
  }

  function agreeOnState(revision: bigint, entries: ReadonlyMap<string, RegistryEntry>): void {
    const state = [...entries.values()].map(inWords).sort().join(', ')
    const known = states.get(revision)
    if (known !== undefined && known !== state) {
      fail('snapshot', `at revision ${revision} there is [${state}], and there was [${known}]`)
    }
    states.set(revision, state)
  }

  return {
    watcher() {
      const entries = new Map<string, RegistryEntry>()
      let seen: bigint | undefined
      return {
        told(change) {
          const { revision } = change
          if (change.kind === 'compacted') return
          changes += 1
          if (change.kind === 'snapshot') {
            entries.clear()
            for (const entry of change.entries) entries.set(entry.key, entry)
          } else {
            if (seen !== undefined && revision <= seen) fail('order', `${revision} after ${seen}`)
            if (seen !== undefined && revision > seen + 1n) fail('gap', `${revision} after ${seen}`)
            if (change.kind === 'put') {
              const { entry } = change
              const owner = entries.get(entry.key)?.sessionId ?? entry.sessionId
              if (owner !== entry.sessionId) fail('stolen', `${entry.key} at ${revision}`)
              agree(revision, putInWords(entry.key, entry.value, entry.sessionId))
              entries.set(entry.key, entry)
            } else {
              const { key, sessionId, cause } = change
              const asked = leaving.has(sessionId) || leaving.has(`${sessionId} ${key}`)
              if (cause === 'deregistered' && !asked) fail('stolen', `${key} at ${revision}`)
              agree(revision, `removed ${key}`)
              entries.delete(change.key)
            }
          }
          seen = revision
          agreeOnState(revision, entries)
        },
      }
    },
    registered: (revision, key, value, sessionId) =>
      agree(revision, putInWords(key, value, sessionId)),
    leaves(sessionId, key) {
      leaving.add(key === undefined ? sessionId : `${sessionId} ${key}`)
    },
    alive(sessionId, nowMs) {
      lastAlive.set(sessionId, nowMs)
    },
    listed({ revision, entries }, askedMs) {
      agreeOnState(revision, new Map(entries.map((entry) => [entry.key, entry])))
      for (const { key, sessionId } of entries) {
        const latestMs = (lastAlive.get(sessionId) ?? Number.POSITIVE_INFINITY) + ttlMs + slackMs
        if (askedMs > latestMs) fail('ghost', `${key} is listed at ${askedMs}, after ${latestMs}`)
      }
    },
    mustContain({ revision, entries }, key) {
      if (!entries.some((entry) => entry.key === key)) {
        fail('vanished', `${key} is not listed at revision ${revision}, and its session is valid`)
      }
    },
    rebooted() {
      lastAlive.clear()
      told.clear()
      states.clear()
    },
    get changes() {
      return changes
    },
  }
}

function putInWords(key: string, value: string, sessionId: string): string {
  return `put ${key}=${value} of session ${sessionId}`
}

function inWords({ key, value, revision }: RegistryEntry): string {
  return `${key}=${value}@${revision}`
}
