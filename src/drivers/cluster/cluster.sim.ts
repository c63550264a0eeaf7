/**
 * Three members on machines of their own, with logs on disks that tear, fill up and fail to sync, and others
 * who live by them: contenders for one name, instances in the registry with a watcher, and clients that
 * write records. Members and the others are killed, paused, cut off; leaders are changed by hand; snapshots
 * are taken every few dozen entries.
 *
 *   exclusion, order, identity, fence   the judge of leases, by the world's clock
 *   order, ghost, news                  the judge of the registry
 *   record                              every record and counter is linearizable
 *   agreement                           in the end all members hold the same state, to the letter
 */
import { isHoldfastError } from '../../errors.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { History } from '../../simulation/history.ts'
import type { FaultKind, World } from '../../simulation/world.ts'
import { engineLeaseTrial, settled } from '../../testing/engines/engine-leases.sim.ts'
import { engineRegistryTrial } from '../../testing/engines/engine-registry.sim.ts'
import { linearizable } from '../../verification/index.ts'
import { type ClusterWorld, type ClusterWorldOptions, clusterWorld } from './cluster-world.sim.ts'
import { type RecordInput, type RecordOutput, recordModel } from './record-model.sim.ts'

export const clusterFaults: readonly FaultKind[] = [
  'kill',
  'machine-crash',
  'pause',
  'partition',
  'one-way-partition',
  'stream-break',
  'half-open',
  'slow-network',
  'slow-disk',
  'torn-write',
  'sync-failure',
  'disk-full',
  'monotonic-drift',
  'wall-clock-step',
]

export interface ClusterTrial
  extends Pick<ClusterWorldOptions, 'trial' | 'through' | 'members' | 'snapshotEveryEntries'> {
  /** Which of the workloads. Default all. */
  readonly parts?: readonly ('leases' | 'registry' | 'records')[]
  /** Are the members' states compared in the end? Default `true`. */
  readonly compared?: boolean
  /** Default 10_000. */
  readonly lastsMs?: number
}

export function clusterTrial(options: ClusterTrial = {}): (world: World) => void {
  const { parts = ['leases', 'registry', 'records'], lastsMs = 10_000, trial } = options
  const { through, compared = true } = options
  return (world) => {
    const cluster = clusterWorld(world, {
      members: options.members ?? 3,
      snapshotEveryEntries: options.snapshotEveryEntries ?? 60,
      ...(trial === undefined ? {} : { trial }),
      ...(through === undefined ? {} : { through }),
    })
    const engine = (): ClusterWorld => cluster
    if (parts.includes('leases')) {
      engineLeaseTrial({
        engine,
        lastsMs: 0,
      })(world)
    }
    if (parts.includes('registry')) {
      engineRegistryTrial({
        engine,
        lastsMs: 0,
      })(world)
    }
    if (parts.includes('records')) recordWorkload(world, cluster, lastsMs)
    world.client('restless operator', (runtime) => changeLeaders(world, cluster, runtime, lastsMs))
    if (compared) {
      world.afterHealing('all members hold the same', (runtime) => agree(world, cluster, runtime))
    }
  }
}

const keys = ['one', 'two'] as const

/** Clients that never die, so that they can say what they were told. */
function recordWorkload(world: World, cluster: ClusterWorld, lastsMs: number): void {
  const history = world.history<RecordInput, RecordOutput>('records')
  for (const name of ['r1', 'r2']) {
    world.client(name, async (runtime) => {
      const readFrom = name === 'r1' ? 'leader' : 'any'
      const stores = cluster.connect(runtime, { readFrom })
      const known = new Map<string, bigint>()
      for (let made = 0; world.nowMs() < lastsMs; made += 1) {
        await settled(world, () => act(runtime, stores.records, history, known, `${name}.${made}`))
        await sleep(runtime.timers, 60 * runtime.random.fraction('records'))
      }
      await stores.close()
    })
  }
  world.check(linearizable(recordModel), { history: 'records' })
}

type RecordHistory = History<RecordInput, RecordOutput>

async function act(
  runtime: Runtime,
  records: RecordStore,
  history: RecordHistory,
  known: Map<string, bigint>,
  value: string,
): Promise<void> {
  const draw = (below: number): number => Math.floor(below * runtime.random.fraction('records'))
  const key = keys[draw(keys.length)] ?? keys[0]
  const last = known.get(key)
  const kind = draw(6)
  if (kind === 0) {
    const by = BigInt(draw(9) - 4)
    await history.record({ type: 'add', key: 'sum', by }, async () => {
      return { sum: await records.increment('space', 'sum', by) }
    })
  } else if (kind <= 2) {
    await history.record({ type: 'get', key }, async () => {
      const found = await records.get('space', key)
      if (found === undefined) return 'absent'
      known.set(key, found.version)
      return { version: found.version, value: found.value }
    })
  } else if (kind === 3 && last !== undefined) {
    await history.record({ type: 'delete', key, expected: last }, async () =>
      (await records.delete('space', key, last)) ? 'deleted' : 'conflict',
    )
  } else {
    const expected = draw(3) === 0 ? 'any' : (last ?? 'absent')
    await history.record({ type: 'put', key, value, expected }, async () => {
      const version = await records.put({ space: 'space', key, value, expected })
      if (version === undefined) {
        known.delete(key)
        return 'conflict'
      }
      known.set(key, version)
      return { version }
    })
  }
}

async function changeLeaders(
  world: World,
  cluster: ClusterWorld,
  runtime: Runtime,
  lastsMs: number,
): Promise<void> {
  const operator = cluster.operator(runtime)
  while (world.nowMs() < lastsMs) {
    await sleep(runtime.timers, 1_500 + 2_000 * runtime.random.fraction('operator'))
    const index = Math.floor(cluster.machines.length * runtime.random.fraction('operator'))
    const target = cluster.machines[index] ?? 'm1'
    try {
      if (runtime.random.fraction('operator') < 0.3) await operator.snapshot()
      else {
        await operator.transfer(target)
        world.reached('leadership was handed over')
      }
    } catch (error) {
      if (!isHoldfastError(error)) throw error
    }
  }
  await operator.close()
}

async function agree(world: World, cluster: ClusterWorld, runtime: Runtime): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    await sleep(runtime.timers, 100)
    const all = cluster.machines.map((name) => cluster.living.get(name))
    const applied = new Set(all.map((one) => one?.member.status().applied))
    if (applied.size !== 1 || applied.has(undefined)) {
      if (tries > 1_000) world.fail('agreement', 'the members never came to the same place')
      continue
    }
    const states = new Set(all.map((one) => [...(one?.machine.texts() ?? [])].join('')))
    if (states.size > 1) world.fail('agreement', `different states at ${[...applied].join()}`)
    const terms = all.map((one) => one?.member.status().term ?? 0)
    if (Math.max(...terms) > 2) world.reached('there were several leaders')
    if (all.some((one) => (one?.member.status().snapshotIndex ?? 0) > 0)) {
      world.reached('a snapshot was taken')
    }
    return
  }
}
