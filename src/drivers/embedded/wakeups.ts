/**
 * Who waits for a topic is woken by three things: a hint after a commit, a slow poll in case the hint was
 * lost, and an alarm for something known to fall due. All watchers of a topic in this process share one
 * listener and one timer; with no watcher there is neither, so an idle process asks nothing.
 */
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile } from '../../runtime/sql.ts'

export interface Wakeups {
  /** Calls `wake` until the returned function is called. `wake` must not throw. */
  watch(topic: string, wake: () => void): () => void
  /** Something of this topic falls due in that many milliseconds: wake its watchers then. */
  alarm(topic: string, inMs: number): void
  /** Ends all listening and all timers. */
  stop(): void
}

interface Watched {
  readonly wakes: Set<{ readonly wake: () => void }>
  readonly stopListening: () => void
  timer: Timer
  /** Monotonic time at which the timer rings. */
  ringsAtMs: number
}

export function wakeups(file: SqlFile, runtime: Runtime, pollMs: number): Wakeups {
  const topics = new Map<string, Watched>()
  let stopped = false

  // Jitter, so that the processes of a machine do not all ask in the same instant.
  const pollDelayMs = (): number => pollMs * (0.8 + 0.4 * runtime.random.fraction('wakeup-poll'))

  function wakeAll(topic: string): void {
    for (const { wake } of [...(topics.get(topic)?.wakes ?? [])]) wake()
  }

  function ring(topic: string, delayMs: number): Timer {
    const rung = (): void => {
      const watched = topics.get(topic)
      if (watched === undefined) return
      arm(topic, watched, pollDelayMs())
      wakeAll(topic)
    }
    return runtime.timers.schedule(delayMs, rung, { background: true })
  }

  function arm(topic: string, watched: Watched, delayMs: number): void {
    watched.timer.cancel()
    watched.timer = ring(topic, delayMs)
    watched.ringsAtMs = runtime.clock.monotonicMs() + delayMs
  }

  function open(topic: string): Watched {
    const delayMs = pollDelayMs()
    const watched: Watched = {
      wakes: new Set(),
      stopListening: file.listen(topic, () => wakeAll(topic)),
      timer: ring(topic, delayMs),
      ringsAtMs: runtime.clock.monotonicMs() + delayMs,
    }
    topics.set(topic, watched)
    return watched
  }

  function close(topic: string, watched: Watched): void {
    watched.timer.cancel()
    watched.stopListening()
    topics.delete(topic)
  }

  return {
    watch(topic, wake) {
      if (stopped) return () => {}
      const watched = topics.get(topic) ?? open(topic)
      const watcher = { wake }
      watched.wakes.add(watcher)
      return () => {
        if (watched.wakes.delete(watcher) && watched.wakes.size === 0) close(topic, watched)
      }
    },
    alarm(topic, inMs) {
      const watched = topics.get(topic)
      if (watched === undefined) return
      const delayMs = Math.max(0, inMs)
      if (runtime.clock.monotonicMs() + delayMs < watched.ringsAtMs) arm(topic, watched, delayMs)
    },
    stop() {
      stopped = true
      for (const [topic, watched] of [...topics]) close(topic, watched)
    },
  }
}
