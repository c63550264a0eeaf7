/**
 * What the registry cases share: a watch that is collected in the background, and waiting for what must
 * come.
 */
import { check } from './check.ts'
import type { ConformanceBench } from './conformance.ts'
import type { Registry, RegistryChange, RegistryEntry, Session } from './registry.ts'

export type RegistryBench = ConformanceBench<Registry>

/** How long news may take: a hint lost, then a slow poll. */
const newsMaxMs = 5_000

/** The shortest time to live that a case can wait for. */
export function shortMs({ capabilities }: Registry): number {
  return Math.max(capabilities.sessionTtlMinMs, 600)
}

export function openSession(
  { store }: RegistryBench,
  registry: Registry = store,
): Promise<Session> {
  return registry.openSession({ ttlMs: 60_000, owner: 'conformance' })
}

/** Waits, in small steps, for what must become true. */
export async function until(
  bench: RegistryBench,
  claim: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let waitedMs = 0; waitedMs < newsMaxMs; waitedMs += 25) {
    if (await holds()) return
    await bench.passMs(25)
  }
  check(await holds(), `${claim}, within ${newsMaxMs} ms`)
}

export interface Collected {
  readonly changes: RegistryChange[]
  /** The iterator has ended, without error. */
  ended(): boolean
  /** Aborts, and waits for the end. */
  stop(): Promise<void>
}

export function collect(
  bench: RegistryBench,
  prefix: string,
  options: { readonly fromRevision?: bigint; readonly registry?: Registry } = {},
): Collected {
  const { registry = bench.store, ...from } = options
  const over = new AbortController()
  const changes: RegistryChange[] = []
  let state: 'going' | 'ended' | { readonly error: unknown } = 'going'
  bench.runtime.tasks.spawn('conformance-watch', async () => {
    try {
      for await (const change of registry.watch(prefix, { ...from, signal: over.signal })) {
        changes.push(change)
      }
      state = 'ended'
    } catch (error) {
      state = { error }
    }
  })
  const ended = (): boolean => {
    if (typeof state === 'object') throw state.error
    return state === 'ended'
  }
  return {
    changes,
    ended,
    async stop() {
      over.abort()
      await until(bench, 'the watch ends', ended)
    },
  }
}

/** What a watcher believes after these changes: each key with its value. */
export function believed(changes: readonly RegistryChange[]): Record<string, string> {
  const entries = new Map<string, RegistryEntry>()
  for (const change of changes) {
    if (change.kind === 'snapshot') {
      entries.clear()
      for (const entry of change.entries) entries.set(entry.key, entry)
    } else if (change.kind === 'put') entries.set(change.entry.key, change.entry)
    else if (change.kind === 'removed') entries.delete(change.key)
  }
  return Object.fromEntries([...entries].map(([key, { value }]) => [key, value]))
}

/** The changes in few words: `put a=1`, `removed a (expired)`. */
export function inWords(changes: readonly RegistryChange[]): string[] {
  return changes.map(inWord)
}

function inWord(change: RegistryChange): string {
  if (change.kind === 'put') return `put ${change.entry.key}=${change.entry.value}`
  if (change.kind === 'removed') return `removed ${change.key} (${change.cause})`
  if (change.kind === 'compacted') return 'compacted'
  return `snapshot ${change.entries.map(({ key, value }) => `${key}=${value}`).join(' ')}`
}

export async function keysOf(registry: Registry, prefix: string): Promise<string[]> {
  return (await registry.list(prefix)).entries.map(({ key }) => key)
}
