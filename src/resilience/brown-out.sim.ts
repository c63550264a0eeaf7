/**
 * A brown-out: a service of limited capacity has a bad minute in which it refuses most requests. Its
 * clients come at a steady rate, each retrying. What happens is decided by the sum of all retries: with
 * a shared budget the load stays near the rate of requests; without, it multiplies, and the service
 * which only had a bad minute is kept down by those who want it back.
 */
import { UnavailableError } from '../errors.ts'
import { sleep } from '../runtime/sleep.ts'
import type { World } from '../simulation/world.ts'
import { retryBudget, retryPolicy } from './index.ts'

export interface BrownOut {
  /** Shares one budget among all requests. Without it, the negative control. */
  readonly isBudgeted: boolean
  /** The judge's limit on attempts per request during the bad minute. */
  readonly amplificationMax: number
}

const requestsPerSecond = 200
const goodMs = 10_000
const badMs = 60_000

export function brownOut({ isBudgeted, amplificationMax }: BrownOut): (world: World) => void {
  return (world) => {
    world.client('callers', async (runtime) => {
      const budget = retryBudget(runtime)
      const policy = retryPolicy(runtime, {
        attemptsMax: 4,
        backoff: { baseMs: 50, capMs: 500 },
        ...(isBudgeted ? { budget } : {}),
      })
      const startedMs = runtime.clock.monotonicMs()
      const isBad = (): boolean => {
        const ageMs = runtime.clock.monotonicMs() - startedMs
        return ageMs >= goodMs && ageMs < goodMs + badMs
      }
      let requests = 0
      let attempts = 0
      let answered = 0
      let answeredAfter = 0
      const call = async (): Promise<void> => {
        if (isBad()) requests++
        await policy.execute(async () => {
          await sleep(runtime.timers, 5)
          if (isBad()) attempts++
          const refused = runtime.random.fraction('service') < (isBad() ? 0.95 : 0.001)
          if (refused) throw new UnavailableError('overloaded')
          answered++
        })
        if (runtime.clock.monotonicMs() - startedMs >= goodMs + badMs) answeredAfter++
      }
      const calls: Promise<unknown>[] = []
      const total = ((goodMs + badMs + goodMs) / 1_000) * requestsPerSecond
      for (let request = 0; request < total; request++) {
        calls.push(call().catch(() => {}))
        await sleep(runtime.timers, 1_000 / requestsPerSecond)
      }
      await Promise.all(calls)
      const amplification = attempts / requests
      runtime.probe.note('amplification', { attempts, requests, answered })
      if (amplification > amplificationMax) {
        world.fail('amplification', `${amplification.toFixed(3)} attempts per request`)
      }
      if (answeredAfter < requestsPerSecond * 9) world.fail('recovery', `${answeredAfter} answers`)
    })
  }
}
