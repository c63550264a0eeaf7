/**
 * A registration is an instance's standing wish to be found. It keeps one entry in the registry as the
 * instance wants it, through lost sessions and outages, until the instance says that it leaves.
 *
 * One loop owns the session and makes all writes; callers only change the wish. When the session is
 * lost it opens another after a random pause, so that a thousand instances do not return in one
 * instant. Consumers see no flap: the endpoint keeps its id, because it is still the same process.
 */
import { ClosedError, isHoldfastError, outcomeOf } from '../../errors.ts'
import { type Observer, silentObserver } from '../../observability/observer.ts'
import { requireInteger } from '../../ports/arguments.ts'
import type { Registry, Session } from '../../ports/registry.ts'
import { nextPauseMs } from '../../resilience/backoff.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { Endpoint } from '../endpoint.ts'
import { entryKey, entryValue, requireEndpoint, requireSegment } from './service-entry.ts'
import { type Wish, wish } from './wish.ts'

export interface RegistrationOptions {
  /** 1 to 100 characters, no `/`. */
  readonly service: string
  /** The instance's name, stable over restarts, 1 to 100 characters, no `/`: `order-1`. */
  readonly instance: string
  /** `host:port`, as consumers reach it. */
  readonly address: string
  /** 0 (drained) to 1_000, default 1. */
  readonly weight?: number
  /** Version, zone, tags. At most 32 pairs, 4_096 characters together. */
  readonly metadata?: Readonly<Record<string, string>>
  /**
   * How long consumers may still see an instance that died. Default 10_000; what the registry allows.
   * Lower finds deaths sooner; the price is more keep-alives, and instances that vanish in a pause.
   */
  readonly ttlMs?: number
  /** Stops waiting for the first registration. */
  readonly signal?: AbortSignal
  readonly observer?: Observer
}

export interface Registration {
  /** The id of the endpoint as consumers see it. */
  readonly id: string
  /** Is the entry in the registry as wished, as far as this process knows? Computed when asked. */
  readonly isRegistered: boolean
  /**
   * Changes weight or metadata (replaced as a whole) in place. Resolves once the registry has it, which
   * may take as long as an outage; the wish stands even if the wait is aborted.
   * @throws {CancelledError} @throws {ClosedError} @throws {InvalidArgumentError}
   */
  update(
    change: { readonly weight?: number; readonly metadata?: Readonly<Record<string, string>> },
    signal?: AbortSignal,
  ): Promise<void>
  /**
   * The first step of a shutdown: removes the entry and ends the registration. Then give the news time
   * to spread, finish what runs, and exit. Safe to repeat.
   * @returns whether the entry was removed; `false` if it was not there.
   * @throws as the registry does, if it is out of reach: then the entry lasts for at most `ttlMs`.
   */
  deregister(): Promise<boolean>
  /** As `deregister`, but an unreachable registry is an event only. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const reopenBackoff = { baseMs: 500, capMs: 10_000, jitter: 'full' } as const

/**
 * Registers an instance and keeps it registered. Resolves when it is registered for the first time;
 * while the registry is away it keeps trying.
 *
 * Events: `instanceRegistered`, `registrationLost`, `registrationFailed`, `instanceDeregistered`.
 *
 * @throws {CancelledError} `signal` aborted first; nothing is left behind, or lapses within `ttlMs`.
 * @throws {InvalidArgumentError}
 */
export async function registration(
  runtime: Runtime,
  registry: Registry,
  options: RegistrationOptions,
): Promise<Registration> {
  const { service, instance, address, weight = 1, metadata = {}, ttlMs = 10_000 } = options
  const { observer = silentObserver, signal } = options
  requireSegment('service', service)
  requireSegment('instance', instance)
  requireInteger('ttlMs', ttlMs, registry.capabilities.sessionTtlMinMs, 3_600_000)
  const id = `${instance}@${runtime.random.id('registration')}`
  const wanted = wish<Endpoint>({ id, address, weight, instance, metadata })
  requireEndpoint(wanted.value())
  const closing = new AbortController()
  const about = { service, instance, id }
  const keeping = keepRegistered(runtime, registry, {
    ...{ service, instance, ttlMs, wanted, closing: closing.signal },
    report: (name, fields) => observer.event(name, { ...about, ...fields }),
  })
  const { current } = keeping
  let ending: Promise<boolean> | undefined

  async function end(): Promise<boolean> {
    closing.abort()
    wanted.close(new ClosedError(`registration of "${instance}" was closed`))
    const last = current()
    // The entry first: some registries end a session later than they remove a key.
    const removed = last
      ? await registry.deregister(last.session, last.key).finally(() => last.session.close())
      : false
    observer.event('instanceDeregistered', { ...about, removed })
    return removed
  }
  function deregister(): Promise<boolean> {
    ending ??= end()
    return ending
  }
  async function close(): Promise<void> {
    await deregister().catch((error: unknown) => {
      observer.event('registrationFailed', { ...about, error: String(error) })
    })
  }

  try {
    await Promise.race([wanted.granted(signal), keeping.failed])
  } catch (error) {
    await close()
    throw error
  }
  return {
    id,
    get isRegistered() {
      const last = current()
      return last !== undefined && !last.session.lost.aborted && wanted.isGranted()
    },
    async update(change, updateSignal) {
      const next = { ...wanted.value(), ...change }
      requireEndpoint(next)
      wanted.change(next)
      await wanted.granted(updateSignal)
    },
    deregister,
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface Keeping {
  readonly service: string
  readonly instance: string
  readonly ttlMs: number
  readonly wanted: Wish<Endpoint>
  readonly closing: AbortSignal
  report(event: string, fields?: Readonly<Record<string, unknown>>): void
}

interface Held {
  readonly session: Session
  readonly key: string
}

/** The loop. `failed` rejects if the registry calls the request itself wrong, and never resolves. */
function keepRegistered(
  runtime: Runtime,
  registry: Registry,
  { service, instance, ttlMs, wanted, closing, report }: Keeping,
): { current(): Held | undefined; failed: Promise<never> } {
  let held: Held | undefined
  let born: bigint | undefined

  /** Writes the wish whenever it changes, until the session or the registration is over. */
  async function serve(session: Session): Promise<void> {
    const key = entryKey(service, instance, session.incarnation)
    const over = AbortSignal.any([closing, session.lost])
    held = { session, key }
    // A session older than the first one is of a registry that lost its history: born again.
    if (born === undefined || session.incarnation < born) born = session.incarnation
    for (let failures = 0; !over.aborted; ) {
      const version = wanted.version()
      try {
        const revision = await registry.register(session, key, entryValue(wanted.value(), born))
        if (revision === undefined) throw new ClosedError(`"${key}" is another session's`)
        failures = 0
        if (wanted.grant(version)) report('instanceRegistered', { key })
        await wanted.changed(version, over)
      } catch (error) {
        const code = isHoldfastError(error) ? error.code : undefined
        if (code === 'lease-lost') return
        if (code === 'closed' || outcomeOf(error) === 'invalid') throw error
        // The session may outlive the hiccup: it is for the registry to say that it is over.
        report('registrationFailed', { error: String(error) })
        failures++
        await pause(failures, over)
      }
    }
  }

  async function pause(failures: number, over: AbortSignal): Promise<void> {
    const pauseMs = nextPauseMs(reopenBackoff, runtime.random, failures, 0)
    await sleep(runtime.timers, pauseMs, { signal: over }).catch(() => {})
  }

  async function keep(): Promise<void> {
    for (let failures = 0; !closing.aborted; ) {
      let session: Session | undefined
      try {
        session = await registry.openSession({ ttlMs, owner: `${service}/${instance}` })
        if (closing.aborted) return await session.close()
        await serve(session)
        if (closing.aborted) return
        report('registrationLost')
        failures = 0
      } catch (error) {
        if (closing.aborted) return
        if (outcomeOf(error) === 'invalid') throw error
        report('registrationFailed', { error: String(error) })
      }
      wanted.revoke()
      held = undefined
      failures++
      // What is left of the old session must not stay listed beside the new one. If this fails too,
      // consumers prefer the newer incarnation.
      await session?.close().catch(() => {})
      await pause(failures, closing)
    }
  }

  const failed = new Promise<never>((_, reject) => {
    runtime.tasks.spawn(`registration/${service}/${instance}`, () =>
      keep().catch((error: unknown) => {
        if (!wanted.wasGranted()) return reject(error)
        throw error
      }),
    )
  })
  // Whoever waits is told; without a waiter there is nobody to tell.
  failed.catch(() => {})
  return { current: () => held, failed }
}
