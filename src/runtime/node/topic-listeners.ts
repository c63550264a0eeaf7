/**
 * Who in this process waits for which topic.
 */
import { LimitExceededError } from '../../errors.ts'
import { requireTopic } from '../sql-limits.ts'

/** Topics listened to, of one file in one process. */
export const topicsMax: number = 10_000

export interface TopicListeners {
  readonly topics: readonly string[]
  /** @returns stops listening. @throws {LimitExceededError} too many topics. */
  listen(topic: string, wake: () => void): () => void
  wake(topics: readonly string[]): void
}

/** `changed` is called when the set of topics is another. */
export function topicListeners(changed: () => void): TopicListeners {
  const listeners = new Map<string, Set<() => void>>()

  return {
    get topics() {
      return [...listeners.keys()]
    },
    listen(topic, listener) {
      requireTopic(topic)
      const found = listeners.get(topic)
      if (!found && listeners.size >= topicsMax) {
        throw new LimitExceededError(`${topicsMax} topics are listened to already`)
      }
      const known = found ?? new Set()
      const own = (): void => listener() // the same function may listen twice
      known.add(own)
      if (!found) {
        listeners.set(topic, known)
        changed()
      }
      return () => {
        if (!known.delete(own) || known.size > 0 || listeners.get(topic) !== known) return
        listeners.delete(topic)
        changed()
      }
    },
    wake(topics) {
      for (const topic of topics) {
        for (const listener of [...(listeners.get(topic) ?? [])]) {
          try {
            listener()
          } catch (error) {
            // A listener must not throw. It is reported as uncaught, but the others are woken.
            queueMicrotask(() => {
              throw error
            })
          }
        }
      }
    },
  }
}
