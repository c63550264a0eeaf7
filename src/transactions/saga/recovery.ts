/**
 * Finds sagas to execute: those begun elsewhere, left by the dead, or due for another try. It asks the
 * store at a slow, jittered beat, and sooner when a hint comes or a hand is free again. What is due but unknown to this process is counted, so that nobody waits unseen.
 */
import type { Decisions, Ownership } from '../../kernels/decision-contract.ts'
import type { Observer } from '../../observability/observer.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'

/** Hints come with every write; asking more often than this gains nothing. */
const hintGapMs = 50

export interface RecoveryOptions<State, Result> {
  readonly runtime: Runtime
  readonly observer: Observer
  readonly instances: Decisions<State, Result>
  readonly owner: string
  readonly holdMs: number
  readonly pollMs: number
  /** Calls `look` with the number of instances that may be claimed, or not at all. */
  readonly withHands: (look: (hands: number) => Promise<void>) => Promise<void>
  readonly accept: (state: State, id: string) => boolean
  readonly found: (ownership: Ownership<State, Result>) => void
  /** What is due and cannot be executed here. */
  readonly passedOver: (
    instances: readonly { readonly id: string; readonly state: State }[],
  ) => void
}

export interface Recovery {
  /** Looks soon. */
  wake(): void
  stop(): void
}

export function recovery<State, Result>(options: RecoveryOptions<State, Result>): Recovery {
  const { runtime, observer, instances, pollMs } = options
  let stopped = false
  /** Did the last look find more than it may take? Then the next one is at once. */
  let backlog = false
  /** Due and unreadable at the last look: announced once. */
  let shunned: readonly string[] = []
  let ring = new AbortController()

  const wake = (): void => ring.abort()

  async function look(limit: number): Promise<void> {
    const { owner, holdMs, accept } = options
    const claim = { owner, holdMs }
    const { claimed, passedOver, unreadable } = await instances.claimDue({ claim, limit, accept })
    for (const ownership of claimed) options.found(ownership)
    options.passedOver(passedOver)
    for (const id of unreadable) {
      if (!shunned.includes(id)) observer.event('sagaUnreadable', { id })
    }
    shunned = unreadable
    backlog = claimed.length === limit
  }

  async function watch(): Promise<void> {
    const unwatch = instances.watch(wake)
    try {
      while (!stopped) {
        ring = new AbortController()
        backlog = false
        await options.withHands(look).catch((error: unknown) => {
          observer.event('sagaRecoveryFailed', { reason: String(error).slice(0, 500) })
        })
        if (backlog) continue
        await pause(hintGapMs)
        await pause(beatMs(), ring.signal)
      }
    } finally {
      unwatch()
    }
  }

  function beatMs(): number {
    return pollMs * (0.75 + runtime.random.fraction('saga-poll') / 2)
  }

  function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleep(runtime.timers, delayMs, { signal, background: true }).catch(() => {})
  }

  runtime.tasks.spawn('saga-recovery', watch)
  return {
    wake,
    stop() {
      stopped = true
      wake()
    },
  }
}
