/**
 * How much a server takes on: so many calls at a time, so many more in a queue, and beyond that a prompt
 * refusal, because a refusal in a millisecond is worth more than an answer after the caller has gone.
 * Whoever stops waiting leaves the queue at once, so a full queue is full of callers that are still there.
 */
export interface Admission<Call> {
  /** @returns `refused`: nothing was begun and nothing will be. */
  offer(call: Call): 'started' | 'queued' | 'refused'
  /** The caller has gone. @returns `false` if it was not in the queue. */
  withdraw(call: Call): boolean
  /** A call that was started is over. */
  ended(tookMs: number): void
  /** How long a refused caller does well to wait, 1 to 5_000. A guess from recent calls. */
  retryAfterMs(): number
  readonly running: number
  readonly queued: number
}

export interface AdmissionOptions<Call> {
  readonly concurrencyMax: number
  readonly queueMax: number
  start(call: Call): void
}

export function admission<Call>(options: AdmissionOptions<Call>): Admission<Call> {
  const { concurrencyMax, queueMax, start } = options
  const queue = new Set<Call>()
  let running = 0
  /** Moving mean of how long calls take. */
  let meanMs = 1

  function next(): void {
    for (const call of queue) {
      if (running >= concurrencyMax) return
      queue.delete(call)
      running += 1
      start(call)
    }
  }

  return {
    offer(call) {
      if (running < concurrencyMax) {
        running += 1
        start(call)
        return 'started'
      }
      if (queue.size >= queueMax) return 'refused'
      queue.add(call)
      return 'queued'
    },
    withdraw: (call) => queue.delete(call),
    ended(tookMs) {
      running -= 1
      meanMs += (tookMs - meanMs) / 16
      next()
    },
    retryAfterMs() {
      const turnMs = (meanMs * (queue.size + 1)) / concurrencyMax
      return Math.min(5_000, Math.max(1, Math.ceil(turnMs)))
    },
    get running() {
      return running
    },
    get queued() {
      return queue.size
    },
  }
}
