/**
 * Members of two versions side by side, as in every upgrade without a stop: they agree link by link on the
 * highest version that both speak, and one that has none in common with a majority waits outside.
 */
import { describe, expect, it } from 'vitest'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { type ClusterWorld, clusterWorld } from './cluster-world.sim.ts'

interface Versions {
  readonly min: number
  readonly max: number
}

const old: Versions = { min: 1, max: 1 }
/** Speaks the new version and the one before it. */
const young: Versions = { min: 1, max: 2 }
/** Has forgotten the old one. */
const strict: Versions = { min: 2, max: 2 }

interface Fleet {
  readonly cluster: ClusterWorld
  /** Ends the member's process and starts it with the other version. */
  change(name: string, versions: Versions): Promise<void>
  /** Resolves when all of them follow one leader. */
  united(names: readonly string[]): Promise<void>
}

function withFleet(body: (fleet: Fleet, runtime: Runtime) => Promise<void>): Promise<void> {
  return inVirtualTime(async (world: World, runtime: Runtime) => {
    const speaks = new Map<string, Versions>()
    const cluster = clusterWorld(world, {
      trial: ({ identity }) => ({ host: { versions: speaks.get(identity.machine) ?? old } }),
    })
    const leaderOf = (name: string): string | undefined =>
      cluster.living.get(name)?.member.status().leader
    async function united(names: readonly string[]): Promise<void> {
      for (let tries = 0; tries < 200; tries += 1) {
        await sleep(runtime.timers, 50)
        const leaders = new Set(names.map(leaderOf))
        const [leader] = leaders
        if (leaders.size === 1 && leader !== undefined && names.includes(leader)) return
      }
      throw new Error(`${names.join(', ')} do not follow one leader`)
    }
    async function change(name: string, versions: Versions): Promise<void> {
      const process = cluster.processes[cluster.machines.indexOf(name)]
      process?.kill()
      speaks.set(name, versions)
      await sleep(runtime.timers, 100)
      process?.restart()
    }
    await united(cluster.machines)
    await body({ cluster, change, united }, runtime)
  })
}

describe('an upgrade without a stop', () => {
  it('G-9, RF-4: one member after the other, up, down and up again, and no count is lost', () =>
    withFleet(async ({ cluster, change, united }, runtime) => {
      const { records, leases, close } = cluster.connect(runtime)
      let counted = 0n
      let going = true
      const counting = (async () => {
        while (going) {
          await records.increment('s', 'n', 1n)
          counted += 1n
          await sleep(runtime.timers, 20)
        }
      })()
      const lease = await leases.acquire({ name: 'n', ttlMs: 3_600_000, attemptId: 'a' })
      for (const versions of [young, old, young, strict]) {
        for (const name of cluster.machines) {
          await change(name, versions)
          await united(cluster.machines)
          // Every mixture is lived with for a while.
          await sleep(runtime.timers, 1_000)
        }
      }
      going = false
      await counting
      expect(counted).toBeGreaterThan(50n)
      expect(await records.increment('s', 'n', 0n)).toBe(counted)
      expect(lease && (await leases.renew(lease, 1_000)).token).toBe(lease?.token)
      await close()
    }))

  it('who skips a version waits outside, and the others go on', () =>
    withFleet(async ({ cluster, change, united }, runtime) => {
      const [first = '', ...others] = cluster.machines
      await change(first, strict)
      await united(others)
      await sleep(runtime.timers, 3_000)
      const outside = cluster.living.get(first)?.member.status()
      expect([outside?.leader, outside?.role === 'leader']).toEqual([undefined, false])
      const { records, close } = cluster.connect(runtime)
      expect(await records.increment('s', 'n', 1n)).toBe(1n)
      // As soon as a majority has the step in between, it is in again.
      for (const name of others) {
        await change(name, young)
        if (name !== others.at(-1)) await sleep(runtime.timers, 2_000)
      }
      await united(cluster.machines)
      expect(await records.increment('s', 'n', 1n)).toBe(2n)
      await close()
    }))
})
