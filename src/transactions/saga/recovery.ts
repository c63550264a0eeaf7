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
  readonly signal: AbortSignal
  readonly freeHands: () => number
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
}

export function recovery<State, Result>(options: RecoveryOptions<State, Result>): Recovery {
  const { runtime, observer, instances, signal, pollMs } = options
  let ring = new AbortController()

  const wake = (): void => ring.abort()

  async function look(): Promise<void> {
    const limit = options.freeHands()
    if (limit < 1) return
    const { owner, holdMs, accept } = options
    const claim = { owner, holdMs }
    const { claimed, passedOver } = await instances.claimDue({ claim, limit, accept })
    for (const ownership of claimed) options.found(ownership)
    options.passedOver(passedOver)
  }

  async function watch(): Promise<void> {
    const unwatch = instances.watch(wake)
    try {
      while (!signal.aborted) {
        ring = new AbortController()
        await look().catch((error: unknown) => {
          observer.event('sagaRecoveryFailed', { reason: String(error).slice(0, 500) })
        })
        await pause(hintGapMs, signal)
        await pause(beatMs(), AbortSignal.any([signal, ring.signal]))
      }
    } finally {
      unwatch()
    }
  }

  function beatMs(): number {
    return pollMs * (0.75 + runtime.random.fraction('saga-poll') / 2)
  }

  function pause(delayMs: number, until: AbortSignal): Promise<void> {
    return sleep(runtime.timers, delayMs, { signal: until, background: true }).catch(() => {})
  }

  runtime.tasks.spawn('saga-recovery', watch)
  return { wake }
}
