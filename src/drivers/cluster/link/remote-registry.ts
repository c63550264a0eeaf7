/**
 * A registry over a link. A watch that loses its connection goes on from the last revision it saw, so
 * that nothing is missed; if the server has forgotten that place by then, the watch says so and ends.
 */
import { LeaseLostError, UnavailableError } from '../../../errors.ts'
import { requireLength, requireText } from '../../../ports/arguments.ts'
import type {
  Registry,
  RegistryCapabilities,
  RegistryChange,
  RegistrySnapshot,
  Session,
  SessionOptions,
  WatchOptions,
} from '../../../ports/registry.ts'
import type { Runtime } from '../../../runtime/runtime.ts'
import { sleep } from '../../../runtime/sleep.ts'
import type { Link } from './link.ts'
import type { LinkService, LinkTeller } from './link-server.ts'
import { remoteSession } from './remote-session.ts'

export interface OpenedSession {
  readonly id: string
  readonly incarnation: bigint
}

/** What a model of a registry does on the server's side. Sessions are named by their ids. */
export interface ServedRegistry {
  openSession(options: SessionOptions): Promise<OpenedSession>
  /** @returns `false` if there is no such session. */
  keepAlive(id: string, ttlMs: number): Promise<boolean>
  closeSession(id: string): Promise<void>
  /** @throws {LeaseLostError} there is no such session. */
  register(id: string, key: string, value: string): Promise<bigint | undefined>
  deregister(id: string, key: string): Promise<boolean>
  list(prefix: string): Promise<RegistrySnapshot>
  /** Tells every change from a place on, in order. Nothing is told after `compacted`. */
  watch(prefix: string, fromRevision: bigint | undefined, teller: LinkTeller): () => void
}

export function registryService(registry: ServedRegistry): LinkService {
  return {
    calls: {
      'registry.openSession': registry.openSession,
      'registry.keepAlive': registry.keepAlive,
      'registry.closeSession': registry.closeSession,
      'registry.register': registry.register,
      'registry.deregister': registry.deregister,
      'registry.list': registry.list,
    },
    sources: {
      'registry.watch': (teller, prefix: string, from: bigint | null) =>
        registry.watch(prefix, from ?? undefined, teller),
    },
  }
}

/** A registry with a lifetime: `stop` closes the sessions opened here, as far as it can. */
export interface RemoteRegistry extends Registry {
  stop(): Promise<void>
}

export function remoteRegistry(
  runtime: Runtime,
  link: Link,
  capabilities: RegistryCapabilities,
): RemoteRegistry {
  const sessions = new Set<Session>()

  async function openSession({ ttlMs, owner }: SessionOptions): Promise<Session> {
    const askedMs = runtime.clock.monotonicMs()
    const opened = await link.call<OpenedSession>('registry.openSession', { ttlMs, owner })
    const { id } = opened
    let living: Session | undefined
    const session = remoteSession(runtime, {
      ...opened,
      ttlMs,
      askedMs,
      keepAlive: () => link.call<boolean>('registry.keepAlive', id, ttlMs),
      async end() {
        await link.call('registry.closeSession', id)
      },
      over: () => living && sessions.delete(living),
    })
    living = session
    if (!session.lost.aborted) sessions.add(session)
    return session
  }

  return {
    capabilities,
    openSession,
    async register(session, key, value) {
      if (session.lost.aborted) throw new LeaseLostError(`session ${session.id} is over`)
      return link.call<bigint | undefined>('registry.register', session.id, key, value)
    },
    async deregister(session, key) {
      requireText('key', key, 512)
      return link.call<boolean>('registry.deregister', session.id, key)
    },
    list: (prefix) => link.call<RegistrySnapshot>('registry.list', prefix),
    watch(prefix, options) {
      requireLength('prefix', prefix, 512)
      return watching(runtime, link, prefix, options)
    },
    async stop() {
      await Promise.all([...sessions].map((session) => session.close().catch(() => {})))
    },
  }
}

/** How long the server may be out of reach before a watch gives up. */
const patienceMs = 10_000
const againMs = 250
/** Changes that wait for a slow reader; past that the feed is broken off and begun again. */
const waitingMax = 10_000

async function* watching(
  runtime: Runtime,
  link: Link,
  prefix: string,
  { signal, fromRevision }: WatchOptions,
): AsyncGenerator<RegistryChange, void, undefined> {
  let seen = fromRevision
  let silentSinceMs: number | undefined
  while (!signal.aborted) {
    const feed = following(link, prefix, seen, signal)
    try {
      for (;;) {
        const change = await feed.next()
        if (change === undefined || signal.aborted) return
        silentSinceMs = undefined
        seen = change.revision
        yield change
        if (change.kind === 'compacted') return
      }
    } catch (error) {
      const nowMs = runtime.clock.monotonicMs()
      silentSinceMs ??= nowMs
      if (!(error instanceof UnavailableError) || nowMs - silentSinceMs > patienceMs) throw error
    } finally {
      feed.stop()
    }
    await sleep(runtime.timers, againMs, { signal, background: true }).catch(() => {})
  }
}

interface Feed {
  /** The next change; `undefined` once the signal aborted. Throws when the connection is lost. */
  next(): Promise<RegistryChange | undefined>
  stop(): void
}

function following(
  link: Link,
  prefix: string,
  from: bigint | undefined,
  signal: AbortSignal,
): Feed {
  const changes: RegistryChange[] = []
  let failure: Error | undefined
  let wake = (): void => {}
  const ring = (): void => wake()
  const stop = link.follow('registry.watch', [prefix, from ?? null], {
    news(change) {
      if (changes.length < waitingMax) changes.push(change as RegistryChange)
      else if (failure === undefined) {
        failure = new UnavailableError(`${waitingMax} changes wait for their reader`)
        stop()
      }
      ring()
    },
    over(reason) {
      failure = reason
      ring()
    },
  })
  signal.addEventListener('abort', ring, { once: true })
  return {
    async next() {
      for (;;) {
        if (signal.aborted) return undefined
        const change = changes.shift()
        if (change !== undefined) return change
        if (failure !== undefined) throw failure
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    stop() {
      signal.removeEventListener('abort', ring)
      stop()
    },
  }
}
