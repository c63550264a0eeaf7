/**
 * A session is a promise to be back in time. Its owner says so every third of its time to live, and
 * counts the time from before each request left; when that time is over it stops believing in itself,
 * a little before anybody else may.
 */
import { ClosedError, isHoldfastError, LeaseLostError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import { leaseDriftMargin } from '../../ports/lease-store.ts'
import type { Session } from '../../ports/registry.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'

/** What a session needs of its store. */
export interface SessionStore {
  /** @returns `false` if the session was ended by somebody. */
  keepAlive(id: string, expiresMs: number): Promise<boolean>
  /** Removes the session and its entries, if they are still there. */
  end(id: string, cause: 'deregistered' | 'expired'): Promise<void>
}

export interface SessionStart {
  readonly id: string
  readonly incarnation: bigint
  readonly ttlMs: number
  /** Read before the session was asked for. */
  readonly startedMs: number
  readonly owner: string
}

export interface LivingSession extends Session {
  /** Ends it here without asking the store. */
  abandon(reason: Error): void
}

export function livingSession(
  runtime: Runtime,
  store: SessionStore,
  start: SessionStart,
  options: { readonly observer: Observer; ended(id: string): void },
): LivingSession {
  const { id, ttlMs, owner } = start
  const { clock, timers, tasks } = runtime
  const over = new AbortController()
  const validFrom = (nowMs: number): number => nowMs + ttlMs * (1 - leaseDriftMargin)
  let validUntilMs = validFrom(start.startedMs)
  let renewal: Timer | undefined
  let deadline: Timer | undefined

  function end(reason: Error): void {
    if (over.signal.aborted) return
    renewal?.cancel()
    deadline?.cancel()
    options.ended(id)
    over.abort(reason)
  }

  function lose(why: string): void {
    if (over.signal.aborted) return
    end(new LeaseLostError(`session ${id} of "${owner}" is over: ${why}`, { details: { id } }))
    options.observer.event('registrySessionLost', { id, owner, why })
    // Others would find out at the session's expiry; this is a little sooner, and only a courtesy.
    tasks.spawn('registry-session-end', () => store.end(id, 'expired').catch(() => {}))
  }

  /** A blocked event loop delays every timer, so whoever asks checks the clock too. */
  function checkDeadline(): void {
    if (over.signal.aborted) return
    const remainingMs = validUntilMs - clock.monotonicMs()
    deadline?.cancel()
    if (remainingMs <= 0) lose('it was not renewed in time')
    else deadline = timers.schedule(remainingMs, checkDeadline, { background: true })
  }

  async function renew(): Promise<void> {
    const nowMs = clock.monotonicMs()
    try {
      if (!(await store.keepAlive(id, nowMs + ttlMs))) return lose('the registry ended it')
      validUntilMs = Math.max(validUntilMs, validFrom(nowMs))
      checkDeadline()
      renewIn(ttlMs / 3)
    } catch (error) {
      if (isHoldfastError(error) && error.code === 'closed') return lose('the registry is closed')
      // Anything else may pass: try again soon, until the deadline says that it is too late.
      renewIn(ttlMs / 12)
    }
  }

  function renewIn(delayMs: number): void {
    if (over.signal.aborted) return
    const spread = 0.9 + 0.1 * runtime.random.fraction('registry-keep-alive')
    renewal = timers.schedule(delayMs * spread, () => tasks.spawn('registry-keep-alive', renew), {
      background: true,
    })
  }

  checkDeadline()
  renewIn(ttlMs / 3)

  return {
    id,
    incarnation: start.incarnation,
    get lost() {
      if (validUntilMs <= clock.monotonicMs()) lose('it was not renewed in time')
      return over.signal
    },
    validUntilMs: () => validUntilMs,
    async close() {
      end(new ClosedError(`session ${id} of "${owner}" was closed`))
      await store.end(id, 'deregistered')
    },
    abandon: end,
  }
}
