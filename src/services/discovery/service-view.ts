/**
 * A service view is one consumer's list of where a service can be reached. The registry is asked for
 * news, not for permission: when it is away, the view keeps what it last knew and says how old that
 * is. The list is always a whole, never-changing array; a change swaps it for another.
 */
import { ClosedError } from '../../errors.ts'
import { type Observer, silentObserver } from '../../observability/observer.ts'
import { requireInteger } from '../../ports/arguments.ts'
import type { Registry, RegistryChange } from '../../ports/registry.ts'
import { nextPauseMs } from '../../resilience/backoff.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { Endpoint, EndpointSource } from '../endpoint.ts'
import { catalog } from './catalog.ts'
import { type EndpointDiff, type EndpointList, endpointList } from './endpoint-list.ts'
import { keeper } from './keeper.ts'
import { requireSegment, servicePrefix } from './service-entry.ts'

export interface DiscoveryOptions {
  /** 1 to 100 characters, no `/`. */
  readonly service: string
  /** Where on `runtime.disk` to keep the last known list. Absent: in memory only. */
  readonly lastKnownGood?: { readonly path: string }
  readonly emptyProtection?: EmptyProtection
  readonly observer?: Observer
}

export interface EmptyProtection {
  /**
   * How long expired instances stay on the list when too few others are left: 0 (never) to 3_600_000,
   * default 30_000. Raising it bridges longer failures between instances and registry; the price is
   * that calls go to dead addresses for that long when a whole service has truly died.
   */
  readonly holdMs?: number
  /**
   * Too few: less than this share of those lately listed. 0 to 1, default 0: only when none is left.
   */
  readonly liveShareMin?: number
}

/**
 * `starting`: nothing is known yet. `live`: the registry's list, and its news arrive. `protected`: the
 * same, but the registry lists too few and expired ones are held. `stale`: the registry is out of
 * reach, this is what was last known.
 */
export type ViewState = 'starting' | 'live' | 'protected' | 'stale'

export interface ServiceView extends EndpointSource {
  readonly state: ViewState
  /** Calls after each change with what changed; the callback must not throw. @returns stops. */
  subscribe(changed: (diff: EndpointDiff) => void): () => void
  /**
   * Resolves once anything is known, be it from the registry or from disk; the list may be empty.
   * @throws {CancelledError} @throws {ClosedError}
   */
  ready(signal?: AbortSignal): Promise<void>
  /**
   * How long ago the registry was last heard: 0 while its news arrive (they may be late by the
   * driver's poll), `Infinity` if never. For a list from disk, counted from when it was saved.
   */
  ageMs(): number
  /** Stops watching; the last list stays readable. Safe to repeat. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Pauses between attempts to reach the registry: with jitter, so that its return is no stampede. */
const watchBackoff = { baseMs: 200, capMs: 5_000, jitter: 'decorrelated' } as const

/**
 * Follows a service. Returns at once; await `ready` before the first call.
 *
 * Events: `endpointsChanged`, `registryLost`, `registryRegained`, `endpointsProtected`,
 * `entryUnreadable`, `resurrectionRefused`, `registryHistoryLost`, `lastKnownGoodUnusable`,
 * `lastKnownGoodNotSaved`.
 *
 * @throws {InvalidArgumentError}
 */
export function discovery(
  runtime: Runtime,
  registry: Registry,
  options: DiscoveryOptions,
): ServiceView {
  const { service, lastKnownGood, emptyProtection = {}, observer = silentObserver } = options
  const { holdMs = 30_000, liveShareMin = 0 } = emptyProtection
  requireSegment('service', service)
  requireInteger('emptyProtection.holdMs', holdMs, 0, 3_600_000)
  const { clock, timers, random } = runtime
  const closing = new AbortController()
  const known = catalog({ service, holdMs, liveShareMin })
  const list: EndpointList = endpointList()
  const disk = lastKnownGood && keeper(runtime, lastKnownGood.path, service, observer)
  let connection: 'none' | 'live' | 'lost' = 'none'
  let heardAtMs = Number.NEGATIVE_INFINITY
  let isProtected = false
  let recheck: Timer | undefined

  /** While the registry is away nothing is given up: its silence is no evidence. */
  function publish(): void {
    if (connection === 'lost') return
    const view = known.view(clock.monotonicMs())
    recheck?.cancel()
    recheck = undefined
    if (view.recheckAtMs !== undefined && !closing.signal.aborted) {
      const delayMs = Math.max(1, view.recheckAtMs - clock.monotonicMs())
      recheck = timers.schedule(delayMs, publish, { background: true })
    }
    if (view.isProtected && !isProtected) {
      observer.event('endpointsProtected', { service, held: view.endpoints.length })
    }
    isProtected = view.isProtected
    const diff = list.replace(view.endpoints)
    if (diff === undefined) return
    observer.event('endpointsChanged', { service, count: view.endpoints.length })
    disk?.save(known.saved())
  }

  function heard(change: RegistryChange): void {
    for (const doubt of known.apply(change, clock.monotonicMs())) observer.event(doubt, { service })
    if (connection === 'lost') observer.event('registryRegained', { service })
    connection = 'live'
    publish()
    list.settle()
  }

  function lost(error: unknown): void {
    if (connection === 'live') {
      heardAtMs = clock.monotonicMs()
      observer.event('registryLost', { service, error: String(error) })
    }
    connection = 'lost'
  }

  async function restore(): Promise<void> {
    const saved = await disk?.load()
    if (saved === undefined || connection === 'live') return
    known.restore(saved.listed, saved.revision)
    heardAtMs = clock.monotonicMs() - Math.max(0, clock.wallMs() - saved.savedAtMs)
    publish()
    list.settle()
  }

  /**
   * After any interruption it starts from a snapshot, not from the last revision: only an answer
   * shows that the registry is back, and a quiet registry would send none.
   */
  async function follow(): Promise<void> {
    await restore()
    for (let pauseMs = 0, failures = 0; !closing.signal.aborted; ) {
      let isCompacted = false
      try {
        for await (const change of registry.watch(servicePrefix(service), {
          signal: closing.signal,
        })) {
          isCompacted = change.kind === 'compacted'
          if (isCompacted) break
          heard(change)
          failures = 0
          pauseMs = 0
        }
        if (!isCompacted && !closing.signal.aborted) lost('the watch ended')
      } catch (error) {
        if (!closing.signal.aborted) lost(error)
      }
      if (isCompacted && failures === 0) continue
      failures++
      pauseMs = nextPauseMs(watchBackoff, random, failures, pauseMs)
      await sleep(timers, pauseMs, { signal: closing.signal, background: true }).catch(() => {})
    }
  }

  function state(): ViewState {
    if (connection === 'live') return isProtected ? 'protected' : 'live'
    return heardAtMs === Number.NEGATIVE_INFINITY ? 'starting' : 'stale'
  }

  function ageMs(): number {
    return connection === 'live' ? 0 : Math.max(0, clock.monotonicMs() - heardAtMs)
  }

  const withdraw = observer.snapshot(`discovery/${service}`, () => ({
    state: state(),
    ageMs: ageMs(),
    endpoints: list.endpoints().slice(0, 100),
  }))
  const done = new Promise<void>((resolve) => {
    runtime.tasks.spawn(`discovery/${service}`, () => follow().finally(resolve))
  })

  async function close(): Promise<void> {
    if (!closing.signal.aborted) {
      closing.abort(new ClosedError(`discovery of "${service}" was closed`))
      recheck?.cancel()
      withdraw()
      list.close(closing.signal.reason)
    }
    await done
    await disk?.idle()
  }

  return {
    get state() {
      return state()
    },
    endpoints: (): readonly Endpoint[] => list.endpoints(),
    subscribe: (changed) => list.subscribe(changed),
    ready: (signal) => list.settled(signal),
    ageMs,
    close,
    [Symbol.asyncDispose]: close,
  }
}
