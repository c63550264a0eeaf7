/**
 * Several processes of one machine fight for one name: they wait in line or come back later, renew or
 * forget to, release or die, and write to a resource that refuses old tokens. Around them processes
 * are killed and paused for longer than any lease, the machine loses power, hints are lost.
 */
import { isHoldfastError, outcomeOf } from '../../errors.ts'
import type { Lease, LeaseStore } from '../../ports/lease-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { FaultKind, World } from '../../simulation/world.ts'
import { type EmbeddedOptions, embedded } from './embedded.ts'
import { type Hold, type Instant, type LeaseJudge, leaseJudge } from './lease-judge.ts'

/** The faults that a machine with a file can suffer. */
export const leaseTrialFaults: readonly FaultKind[] = [
  'kill',
  'machine-crash',
  'pause',
  'hint-loss',
  'slow-disk',
  'wall-clock-step',
  'wall-clock-drift',
]

export interface LeaseTrial {
  readonly processes?: number
  /** How long the fight lasts before the healing, in virtual time. */
  readonly lastsMs?: number
  readonly durability?: EmbeddedOptions['durability']
  /** Plants a bug. */
  readonly broken?: (store: LeaseStore) => LeaseStore
}

const ttlMs = 400
const name = 'the-one'

export function leaseTrial(trial: LeaseTrial = {}): (world: World) => void {
  const { processes = 3, lastsMs = 5_000, durability = {}, broken } = trial
  return (world) => {
    const judge = leaseJudge((verdict, message) => world.fail(verdict, message))
    const host = world.machine('host')
    for (let index = 0; index < processes; index += 1) {
      host.process(`contender-${index}`, async (runtime) => {
        const stores = await embedded(runtime, {
          path: '/trial.db',
          namespace: 'trial',
          durability,
        })
        const store = broken?.(stores.leases) ?? stores.leases
        for (;;) await contend(world, runtime, store, judge)
      })
    }
    world.client('clock', (runtime) => sleep(runtime.timers, lastsMs))
    world.afterHealing('the name goes round again', async (runtime) => {
      const before = judge.grants
      for (let waitedMs = 0; judge.grants < before + 10; waitedMs += 100) {
        if (waitedMs > 60_000) return world.fail('progress', `${judge.grants - before} grants`)
        await sleep(runtime.timers, 100)
      }
      if (judge.refusedWrites > 0) world.reached('the fence refused a write')
    })
  }
}

/** One attempt: ask until granted or tired, work under the lease, give it back or not. */
async function contend(
  world: World,
  runtime: Runtime,
  store: LeaseStore,
  judge: LeaseJudge,
): Promise<void> {
  const chance = (share: number): boolean => runtime.random.fraction('contender') < share
  const restMs = (most: number): Promise<void> =>
    sleep(runtime.timers, Math.floor(runtime.random.fraction('contender') * most))
  const now = (): Instant => ({
    boot: runtime.clock.bootId,
    nowMs: runtime.clock.monotonicMs(),
  })

  const attemptId = runtime.random.id('contender')
  const asked = await ask(runtime, store, judge, { attemptId, inLine: chance(0.5) })
  if (asked === undefined) {
    await settled(() => store.withdraw(name, attemptId))
    return restMs(200)
  }
  world.reached('a lease was granted')
  let { lease } = asked
  const hold = asked.hold
  const steps = Math.floor(runtime.random.fraction('contender') * 6)
  for (let step = 0; step < steps; step += 1) {
    await restMs(ttlMs * 0.6)
    judge.write(hold, now())
    if (chance(0.3)) continue
    const renewed = await settled(() => store.renew(lease, ttlMs))
    if (renewed === undefined) break
    lease = renewed
    judge.renewed(hold, lease.validUntilMs, now())
  }
  // Not everybody is tidy: some leave the name to run out.
  if (chance(0.2)) return restMs(ttlMs * 2)
  judge.letGo(hold)
  if ((await settled(() => store.release(lease))) === false) world.reached('a release came late')
}

/** Asks as a careful user does: the same attempt again after doubt, by hint and by poll. */
async function ask(
  runtime: Runtime,
  store: LeaseStore,
  judge: LeaseJudge,
  { attemptId, inLine }: { readonly attemptId: string; readonly inLine: boolean },
): Promise<{ readonly lease: Lease; readonly hold: Hold } | undefined> {
  let rung = (): void => {}
  const stop = store.watch(name, () => rung(), attemptId)
  try {
    for (let tries = 0; tries < 12; tries += 1) {
      const question = judge.asked()
      const request = { name, ttlMs, attemptId, ...(inLine ? { queueForMs: 3_000 } : {}) }
      const lease = await settled(() => store.acquire(request))
      if (lease !== undefined) {
        const at = { boot: runtime.clock.bootId, nowMs: runtime.clock.monotonicMs() }
        return { lease, hold: question.granted(lease, at) }
      }
      await new Promise<void>((resolve) => {
        const timer = runtime.timers.schedule(ttlMs, resolve)
        rung = () => {
          timer.cancel()
          resolve()
        }
      })
    }
    return undefined
  } finally {
    stop()
  }
}

/** @returns `undefined` for a failure that a careful user lives with: nothing happened, or unknown. */
async function settled<Value>(work: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await work()
  } catch (error) {
    if (isHoldfastError(error) && outcomeOf(error) !== 'invalid') return undefined
    throw error
  }
}
