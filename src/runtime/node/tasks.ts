/**
 * Background work whose failures reach somebody.
 */
import type { Tasks } from '../tasks.ts'

export type TaskFailed = (name: string, error: unknown) => void

export function nodeTasks(onTaskFailed: TaskFailed): Tasks {
  return {
    spawn(name, work) {
      // `then` rather than a direct call: work that throws at once is a rejection like any other.
      void Promise.resolve()
        .then(work)
        .catch((error: unknown) => onTaskFailed(name, error))
    },
  }
}
