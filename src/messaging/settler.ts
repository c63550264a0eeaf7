/**
 * The settler gathers the acknowledgements of one turn of the event loop into one call, and insists:
 * while the lease may still hold, a settlement that failed is sent again. It is safe, because a
 * receipt settles once; a second try then reads as `lost`, which is what a settled delivery is.
 */
import { outcomeOf } from '../errors.ts'
import type { Settlement } from '../ports/work-store.ts'
import { sleep } from '../runtime/index.ts'
import type { HandsContext } from './hands.ts'

interface Pending {
  readonly settlement: Settlement
  readonly validUntilMs: number
  resolve(): void
}

/** At most this many settlements in one call; the rest follows in the next. */
const batchMax = 1_000

export interface Settler {
  /** Resolves when it is settled, known to be lost, or its lease is over. Never rejects. */
  settle(settlement: Settlement, validUntilMs: number): Promise<void>
}

export function settler({ runtime, work, observer, queue }: HandsContext): Settler {
  let gathered: Pending[] = []

  async function flush(): Promise<void> {
    const batch = gathered.slice(0, batchMax)
    gathered = gathered.slice(batchMax)
    if (gathered.length > 0) schedule()
    await deliver(batch)
    for (const pending of batch) pending.resolve()
  }

  const schedule = (): void => queueMicrotask(() => runtime.tasks.spawn(`settle ${queue}`, flush))

  async function deliver(batch: readonly Pending[]): Promise<void> {
    let left = batch
    for (let tries = 0; left.length > 0; tries++) {
      try {
        const answers = await work.settle(
          queue,
          left.map((pending) => pending.settlement),
        )
        const lost = answers.filter((answer) => answer === 'lost').length
        if (lost > 0 && tries === 0) observer.event('settlementLost', { queue, lost })
        return
      } catch (error) {
        observer.event('settlementFailed', {
          queue,
          error: String(error),
          outcome: outcomeOf(error),
        })
        if (outcomeOf(error) === 'invalid') return
        await sleep(
          runtime.timers,
          50 * 2 ** Math.min(tries, 5) * (0.5 + runtime.random.fraction('settle')),
        )
        const nowMs = runtime.clock.monotonicMs()
        left = left.filter((pending) => nowMs < pending.validUntilMs)
      }
    }
  }

  return {
    settle: (settlement, validUntilMs) =>
      new Promise((resolve) => {
        gathered.push({ settlement, validUntilMs, resolve })
        if (gathered.length === 1) schedule()
      }),
  }
}
