/**
 * A doorbell that is never missed: a waiter says how many rings it has heard, and does not wait if
 * there were more since.
 */
export interface Doorbell {
  ring(): void
  rings(): number
  /** Resolves once the bell has rung since `heard`, or the signal aborts. */
  wait(heard: number, signal: AbortSignal): Promise<void>
}

export function doorbell(): Doorbell {
  let count = 0
  const waiters = new Set<() => void>()
  return {
    rings: () => count,
    ring() {
      count += 1
      for (const wake of [...waiters]) wake()
    },
    wait: (heard, signal) =>
      new Promise((resolve) => {
        if (count !== heard || signal.aborted) return resolve()
        const wake = (): void => {
          waiters.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        waiters.add(wake)
        signal.addEventListener('abort', wake)
      }),
  }
}
