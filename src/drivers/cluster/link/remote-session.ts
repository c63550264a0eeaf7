/**
 * A session kept alive from afar. Its owner says every third of the time to live that it is there, and
 * counts from before the word left; past its own deadline it stops believing in itself, whatever the
 * server may still think.
 */
import { ClosedError, isHoldfastError, LeaseLostError } from '../../../errors.ts'
import { leaseDriftMargin } from '../../../ports/lease-store.ts'
import type { Session } from '../../../ports/registry.ts'
import type { Timer } from '../../../runtime/clock.ts'
import type { Runtime } from '../../../runtime/runtime.ts'

export interface SessionStart {
  readonly id: string
  readonly incarnation: bigint
  readonly ttlMs: number
  /** Read before the session was asked for. */
  readonly askedMs: number
  /** @returns `false` if the server knows no such session. */
  keepAlive(): Promise<boolean>
  end(): Promise<void>
  /** The session is over, for whatever reason. */
  over(): void
}

export function remoteSession(runtime: Runtime, start: SessionStart): Session {
  const { id, ttlMs } = start
  const { clock, timers, tasks } = runtime
  const lost = new AbortController()
  const goodMs = ttlMs * (1 - leaseDriftMargin)
  let validUntilMs = start.askedMs + goodMs
  let renewal: Timer | undefined
  let deadline: Timer | undefined

  function finish(reason: Error): void {
    if (lost.signal.aborted) return
    renewal?.cancel()
    deadline?.cancel()
    lost.abort(reason)
    start.over()
  }

  function lose(why: string): void {
    finish(new LeaseLostError(`session ${id} is over: ${why}`, { details: { id } }))
  }

  function checkDeadline(): void {
    if (lost.signal.aborted) return
    const leftMs = validUntilMs - clock.monotonicMs()
    deadline?.cancel()
    if (leftMs <= 0) lose('it was not kept alive in time')
    else deadline = timers.schedule(leftMs, checkDeadline, { background: true })
  }

  async function renew(): Promise<void> {
    const askedMs = clock.monotonicMs()
    try {
      if (!(await start.keepAlive())) return lose('the registry ended it')
      validUntilMs = Math.max(validUntilMs, askedMs + goodMs)
      checkDeadline()
      renewIn(ttlMs / 3)
    } catch (error) {
      if (!isHoldfastError(error)) throw error
      renewIn(ttlMs / 12)
    }
  }

  function renewIn(delayMs: number): void {
    if (lost.signal.aborted) return
    const later = (): void => tasks.spawn('keep a session alive', renew)
    renewal = timers.schedule(delayMs, later, { background: true })
  }

  checkDeadline()
  renewIn(ttlMs / 3)

  return {
    id,
    incarnation: start.incarnation,
    get lost() {
      if (validUntilMs <= clock.monotonicMs()) lose('it was not kept alive in time')
      return lost.signal
    },
    validUntilMs: () => validUntilMs,
    async close() {
      finish(new ClosedError(`session ${id} was closed`))
      await start.end()
    },
  }
}
