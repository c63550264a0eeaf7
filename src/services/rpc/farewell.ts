/**
 * When is a drain over? When every connection is closed; or when every call is answered and each caller
 * had a moment to hear it, because one that is gone must not hold up a shutdown; or when time is up.
 */
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { ServerSession } from './server-session.ts'

export interface Farewell {
  readonly over: Promise<void>
  /** All calls of this connection are answered, or it is closed. */
  answered(session: ServerSession): void
}

/** How long a caller that has all its answers may take to close its side. */
const farewellMs = 1_000

export function farewellTo(
  { timers }: Runtime,
  sessions: ReadonlySet<ServerSession>,
  timeoutMs: number,
): Farewell {
  const answered = new Set<ServerSession>()
  let end = (): void => {}
  const over = new Promise<void>((resolve) => {
    end = resolve
  })
  const limit = timers.schedule(timeoutMs, () => end())
  let moment: Timer | undefined
  void over.then(() => {
    limit.cancel()
    moment?.cancel()
  })
  if (sessions.size === 0) end()
  return {
    over,
    answered(session) {
      answered.add(session)
      if (sessions.size === 0) end()
      else if ([...sessions].every((each) => answered.has(each))) {
        moment ??= timers.schedule(farewellMs, () => end())
      }
    },
  }
}
