/**
 * Hints over a link that breaks: the client follows again, and rings once after each new beginning,
 * because what happened in between was not heard.
 */
import { isHoldfastError } from '../../../errors.ts'
import type { Timer } from '../../../runtime/clock.ts'
import type { Runtime } from '../../../runtime/runtime.ts'
import type { Link } from './link.ts'

/** How long to rest before a broken following is begun anew. */
const againMs = 250

/** Calls `wake` for each hint. @returns stops; `wake` is not called after that. */
export function followHints(
  runtime: Runtime,
  link: Link,
  method: string,
  values: readonly unknown[],
  wake: () => void,
): () => void {
  let stopped = false
  let timer: Timer | undefined
  let stop = (): void => {}

  function begin(): void {
    if (stopped || link.closed) return
    stop = link.follow(method, values, {
      news: () => stopped || wake(),
      over(reason) {
        if (stopped || (isHoldfastError(reason) && reason.outcome === 'invalid')) return
        timer = runtime.timers.schedule(againMs, again, { background: true })
      },
    })
  }
  function again(): void {
    begin()
    if (!stopped) wake()
  }

  begin()
  return () => {
    stopped = true
    timer?.cancel()
    stop()
  }
}

/** A set of listeners by topic, for the server's side. */
export interface Bells {
  /** @returns stops listening. */
  listen(topic: string, ring: () => void): () => void
  ring(topic: string): void
  /** Everything may have changed. */
  ringAll(): void
}

export function bells(): Bells {
  const byTopic = new Map<string, Set<() => void>>()
  return {
    listen(topic, ring) {
      const listening = byTopic.get(topic) ?? new Set()
      byTopic.set(topic, listening)
      // A listener of its own, so that the same callback may listen twice.
      const listener = (): void => ring()
      listening.add(listener)
      return () => {
        listening.delete(listener)
        if (listening.size === 0 && byTopic.get(topic) === listening) byTopic.delete(topic)
      }
    },
    ring(topic) {
      for (const listener of [...(byTopic.get(topic) ?? [])]) listener()
    },
    ringAll() {
      for (const listener of [...byTopic.values()].flatMap((all) => [...all])) listener()
    },
  }
}
