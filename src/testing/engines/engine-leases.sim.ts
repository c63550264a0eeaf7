/**
 * Processes of several machines fight for one name in a store on another machine, while the store is
 * killed, links are cut, streams break and everybody is paused for longer than any lease. Whoever holds
 * writes to a resource that refuses old tokens.
 *
 * The judge is that of the embedded leases. It needs one clock, so it is told the world's.
 */
import { leaseJudge } from '../../drivers/embedded/lease-judge.ts'
import { isHoldfastError, outcomeOf } from '../../errors.ts'
import type { DriverStores } from '../../ports/driver.ts'
import type { Lease, LeaseStore } from '../../ports/lease-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { FaultKind, World } from '../../simulation/world.ts'
import type { Engine } from './engine.ts'

/** What can befall a store behind a network and its clients. */
export const engineFaults: readonly FaultKind[] = [
  'kill',
  'machine-crash',
  'pause',
  'partition',
  'one-way-partition',
  'stream-break',
  'slow-network',
]

export interface EngineLeaseTrial {
  engine(world: World): Engine<DriverStores & { readonly leases: LeaseStore }>
  /** Plants a bug. */
  readonly broken?: (store: LeaseStore) => LeaseStore
  /** 0: something else decides how long it lasts. */
  readonly lastsMs?: number
}

const name = 'the-one'

export function engineLeaseTrial(trial: EngineLeaseTrial): (world: World) => void {
  const { broken = (store) => store, lastsMs = 12_000 } = trial
  return (world) => {
    const engine = trial.engine(world)
    const judge = leaseJudge((verdict, message) => world.fail(verdict, message))
    const now = () => ({ boot: 'world', nowMs: world.nowMs() })
    const inWorld = (runtime: Runtime, validUntilMs: number): number =>
      world.nowMs() + validUntilMs - runtime.clock.monotonicMs()

    async function contend(runtime: Runtime, store: LeaseStore): Promise<void> {
      const chance = (share: number): boolean => runtime.random.fraction('contender') < share
      const rest = (mostMs: number): Promise<void> =>
        sleep(runtime.timers, Math.floor(runtime.random.fraction('contender') * mostMs))
      const ttlMs = Math.max(store.capabilities.ttlMinMs, 1_000)
      const attemptId = runtime.random.id('contender')
      const queueForMs = chance(0.5) ? { queueForMs: 5_000 } : {}
      for (let tries = 0; tries < 10; tries += 1) {
        const question = judge.asked()
        const answer = await settled(world, () =>
          store.acquire({ name, ttlMs, attemptId, ...queueForMs }),
        )
        let lease: Lease | undefined = answer
        if (lease === undefined) {
          await rest(ttlMs / 2)
          continue
        }
        const validUntilMs = inWorld(runtime, lease.validUntilMs)
        const hold = question.granted({ ...lease, validUntilMs }, now())
        world.reached('a lease was granted')
        for (let step = 0; step < 5; step += 1) {
          await rest(ttlMs * 0.5)
          judge.write(hold, now())
          world.committed()
          const held: Lease = lease
          lease = await settled(world, () => store.renew(held, ttlMs))
          if (lease === undefined) return
          judge.renewed(hold, inWorld(runtime, lease.validUntilMs), now())
        }
        const held = lease
        judge.letGo(hold)
        await settled(world, () => store.release(held))
        return
      }
      await settled(world, () => store.withdraw(name, attemptId))
    }

    for (const machine of ['a', 'b', 'c']) {
      world.machine(machine).process('contender', async (runtime) => {
        const store = broken(engine.connect(runtime).leases)
        for (;;) {
          await contend(runtime, store)
          await sleep(runtime.timers, 50)
        }
      })
    }
    if (lastsMs > 0) world.client('patience', (runtime) => sleep(runtime.timers, lastsMs))
    world.afterHealing('the name goes round again', async (runtime) => {
      const before = judge.grants
      while (judge.grants < before + 5) await sleep(runtime.timers, 500)
      if (judge.refusedWrites > 0) world.reached('the fence refused a write')
    })
  }
}

/** @returns `undefined` for a failure that a careful user lives with: nothing happened, or unknown. */
export async function settled<Value>(
  world: World,
  work: () => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!isHoldfastError(error) || outcomeOf(error) === 'invalid') throw error
    world.reached(`an outcome was ${error.outcome}`)
    return undefined
  }
}
