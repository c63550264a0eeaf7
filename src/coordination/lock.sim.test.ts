import { describe, expect, it } from 'vitest'
import type { Runtime } from '../runtime/index.ts'
import type { FaultKind, SimulationReport } from '../simulation/world.ts'
import { simulate, simulationTestWith } from '../testing/index.ts'
import { type LockTrialOptions, lockTrial } from './lock.sim.ts'
import { type Lock, lock } from './lock.ts'
import type { LockSet, lockAll } from './lock-all.ts'

const simulationTest = simulationTestWith(it)
const faults: readonly FaultKind[] = ['kill', 'pause', 'machine-crash', 'hint-loss', 'slow-disk']
const options = { faults, durationMs: 3_000, livenessMs: 60_000 }

simulationTest(
  'LK-1, LK-7, LK-10: no overlap, no money lost, no deadlock',
  { ...options, seeds: 150, reachedMin: { 'an old token was refused at writing': 0.001 } },
  lockTrial(),
)

describe('planted bugs are found', () => {
  const found = async (plant: LockTrialOptions): Promise<SimulationReport> =>
    simulate({ ...options, seeds: 100, failuresMax: 1 }, lockTrial(plant))

  it('locks taken in the order they are named', async () => {
    const inOrderNamed: typeof lockAll = async (runtime, leases, names, given) => {
      const locks = new Map<string, Lock>()
      for (const name of names)
        locks.set(name, await lock(runtime, leases, name, { ttlMs: given.ttlMs }))
      return setOf(locks)
    }
    const { failures } = await found({ lockAll: inOrderNamed })
    expect(failures[0]?.name).toBe('no-progress')
  })

  it('two flows of one process share a lock by accident', async () => {
    const heldBy = new WeakMap<Runtime, Map<string, Lock>>()
    const sharing: typeof lockAll = async (runtime, leases, names, given) => {
      const locks = new Map<string, Lock>()
      const held = heldBy.get(runtime) ?? new Map<string, Lock>()
      heldBy.set(runtime, held)
      for (const name of Array.from(names).sort()) {
        const outer = held.get(name)
        const entry = outer?.isHeld() ? outer.reenter() : undefined
        const taken = entry ?? (await lock(runtime, leases, name, { ttlMs: given.ttlMs }))
        held.set(name, taken)
        locks.set(name, taken)
      }
      return setOf(locks)
    }
    const { failures } = await found({ lockAll: sharing })
    expect(['two-flows', 'money']).toContain(failures[0]?.name)
  })

  it('accounts without a fence', async () => {
    expect((await found({ noFence: true })).failures[0]?.name).toBe('money')
  })
})

function setOf(locks: ReadonlyMap<string, Lock>): LockSet {
  const all = Array.from(locks.values())
  const release = async (): Promise<boolean> => {
    await Promise.all(all.map((held) => held[Symbol.asyncDispose]()))
    return true
  }
  return {
    locks,
    signal: new AbortController().signal,
    remainingMs: () => 0,
    isHeld: () => all.every((held) => held.isHeld()),
    assertHeld() {},
    release,
    async [Symbol.asyncDispose]() {
      await release()
    },
  }
}
