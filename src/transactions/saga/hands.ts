/**
 * The hands of this process: how many sagas it executes at a time, which ones, and how they stop. A hand is
 * promised before a claim is sent, so that claims under way cannot add up to more than there are.
 */
import type { Observer } from '../../observability/observer.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SagaPlan } from './definition.ts'
import { execute, type SagaOwnership, type Stop } from './executor.ts'
import { idOf } from './view.ts'

export interface HandsOptions {
  readonly runtime: Runtime
  readonly observer: Observer
  readonly concurrency: number
  readonly holdMs: number
  readonly began: (own: SagaOwnership) => void
  /** `stop` is absent if the execution was interrupted. */
  readonly stopped: (own: SagaOwnership, stop?: Stop) => void
}

export interface Hands {
  /** Neither busy nor promised; 0 while draining. */
  free(): number
  /** Promises `count` hands while `claim` runs. */
  promised<T>(count: number, claim: () => Promise<T>): Promise<T>
  execute(plan: SagaPlan, own: SagaOwnership): void
  /** What is executed here under this key. */
  ownership(key: string): SagaOwnership | undefined
  running(): readonly SagaOwnership[]
  /** Nothing new; resolves when every hand is idle. What runs is handed over at its next step. */
  drain(): Promise<void>
  /** Cuts what runs short. */
  cut(reason: Error): void
}

interface Running {
  readonly own: SagaOwnership
  readonly stop: AbortController
}

export function hands(options: HandsOptions): Hands {
  const { runtime, observer, concurrency, holdMs } = options
  const running = new Map<string, Running>()
  const whenIdle: (() => void)[] = []
  let promisedCount = 0
  let draining = false
  let cutBy: Error | undefined

  const isIdle = (): boolean => running.size === 0 && promisedCount === 0

  function rest(): void {
    if (isIdle()) for (const resolve of whenIdle.splice(0)) resolve()
  }

  async function drive(plan: SagaPlan, own: SagaOwnership, closing: AbortSignal) {
    const id = idOf(own.id)
    const pauseHereMs = holdMs / 2
    const way = { runtime, observer, plan, id, pauseHereMs, closing, draining: () => draining }
    try {
      return await execute(way, own)
    } catch (error) {
      // Lost to another executor, or the store is out of reach: the record says where to go on.
      const reason = String(error).slice(0, 500)
      observer.event('sagaInterrupted', { saga: plan.name, id, reason })
      observer.count('sagasInterrupted', { saga: plan.name })
      return undefined
    }
  }

  return {
    free: () => (draining ? 0 : Math.max(0, concurrency - running.size - promisedCount)),
    async promised(count, claim) {
      promisedCount += count
      try {
        return await claim()
      } finally {
        promisedCount -= count
        rest()
      }
    },
    execute(plan, own) {
      const stop = new AbortController()
      if (cutBy) stop.abort(cutBy)
      running.set(own.id, { own, stop })
      options.began(own)
      runtime.tasks.spawn('saga-execution', async () => {
        const ended = await drive(plan, own, stop.signal)
        // A later claim of this process may have taken its place.
        if (running.get(own.id)?.own === own) running.delete(own.id)
        options.stopped(own, ended)
        rest()
      })
    },
    ownership: (key) => running.get(key)?.own,
    running: () => [...running.values()].map(({ own }) => own),
    async drain() {
      draining = true
      if (isIdle()) return
      await new Promise<void>((resolve) => {
        whenIdle.push(resolve)
      })
    },
    cut(reason) {
      cutBy = reason
      for (const { stop } of running.values()) stop.abort(reason)
    },
  }
}
