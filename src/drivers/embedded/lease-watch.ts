/**
 * Who waits for a name is woken when it is worth asking again: after a hint, when the lease or the
 * first place in line runs out, and by a slow poll behind both. All watchers of a name in one process
 * share one look at the file, and when the line is known only the first in it is woken, so a release
 * does not send a thousand waiters to the file at once. With no watchers nothing is asked.
 */
import { isHoldfastError } from '../../errors.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile } from '../../runtime/sql.ts'
import { type LeaseScope, outlookStatement } from './lease-statements.ts'
import { topicOf } from './topic.ts'

export interface LeaseWatches {
  watch(name: string, wake: () => void, attemptId?: string): () => void
  stop(): void
}

export interface LeaseWatchOptions {
  readonly namespace: string
  readonly pollMs: number
  scope(): LeaseScope
}

interface Watcher {
  readonly wake: () => void
  readonly attemptId: string | undefined
}

interface WatchedName {
  readonly watchers: Set<Watcher>
  look(): void
  stop(): void
}

export function leaseWatches(
  file: SqlFile,
  runtime: Runtime,
  options: LeaseWatchOptions,
): LeaseWatches {
  const names = new Map<string, WatchedName>()
  let stopped = false
  return {
    watch(name, wake, attemptId) {
      if (stopped) return () => {}
      const watcher: Watcher = { wake, attemptId }
      const watched = names.get(name) ?? watchedName(file, runtime, options, name)
      names.set(name, watched)
      watched.watchers.add(watcher)
      watched.look()
      return () => {
        if (!watched.watchers.delete(watcher) || watched.watchers.size > 0) return
        watched.stop()
        names.delete(name)
      }
    },
    stop() {
      stopped = true
      for (const watched of names.values()) watched.stop()
      names.clear()
    },
  }
}

function watchedName(
  file: SqlFile,
  runtime: Runtime,
  { namespace, pollMs, scope }: LeaseWatchOptions,
  name: string,
): WatchedName {
  const watchers = new Set<Watcher>()
  let timer: Timer | undefined
  let looking = false
  let lookAgain = false
  let over = false

  /** @returns when it is worth looking again, at the latest after one poll. */
  async function lookOnce(): Promise<number> {
    const now = scope()
    const jitter = 0.8 + 0.4 * runtime.random.fraction('lease-watch-poll')
    const { results } = await file.run({ statements: [outlookStatement(now, name)], mode: 'read' })
    const row = results[0]?.rows[0]
    const heldUntilMs = row?.held_until ?? null
    if (heldUntilMs === null) wakeFirst(row?.first ?? null)
    const nextMs = heldUntilMs ?? row?.first_until ?? null
    const untilNextMs = nextMs === null ? pollMs : Number(nextMs) - now.nowMs
    return Math.max(0, Math.min(untilNextMs, pollMs * jitter))
  }

  // A watcher that did not say whose place it keeps may be anybody, the first included.
  function wakeFirst(first: unknown): void {
    for (const { wake, attemptId } of [...watchers]) {
      if (first === null || attemptId === undefined || attemptId === first) wake()
    }
  }

  async function look(): Promise<void> {
    do {
      lookAgain = false
      const delayMs = await lookOnce().catch((error: unknown) => {
        // A hint is only a hint: what could not be read now is read at the next poll.
        if (isHoldfastError(error) && error.code === 'closed') over = true
        return pollMs
      })
      if (over) return
      timer?.cancel()
      timer = runtime.timers.schedule(delayMs, startLooking, { background: true })
    } while (lookAgain)
  }

  function startLooking(): void {
    if (over) return
    if (looking) {
      lookAgain = true
      return
    }
    looking = true
    runtime.tasks.spawn('lease-watch', () =>
      look().finally(() => {
        looking = false
      }),
    )
  }

  const stopListening = file.listen(topicOf('lease', namespace, name), startLooking)
  return {
    watchers,
    look: startLooking,
    stop() {
      over = true
      timer?.cancel()
      stopListening()
    },
  }
}
