/**
 * Instances of several machines come and go in a registry on another machine, under faults, and a
 * watcher follows from a client that never dies.
 *
 *   order   a watcher is told revisions that grow, and every removal is of something it knew
 *   ghost   while a session believes in itself, nobody else's entry stands under its key
 *   news    in the end the watcher believes what the registry lists
 */
import type { DriverStores } from '../../ports/driver.ts'
import type { Registry, Session } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import type { Engine } from './engine.ts'
import { settled } from './engine-leases.sim.ts'

export interface EngineRegistryTrial {
  engine(world: World): Engine<DriverStores & { readonly registry: Registry }>
  /** Plants a bug. */
  readonly broken?: (registry: Registry) => Registry
  /** 0: something else decides how long it lasts. */
  readonly lastsMs?: number
}

const keys = ['one', 'two', 'three'] as const
const ttlMs = 2_000

export function engineRegistryTrial(trial: EngineRegistryTrial): (world: World) => void {
  const { broken = (registry) => registry, lastsMs = 15_000 } = trial
  return (world) => {
    const engine = trial.engine(world)
    const owners = new Map<string, { readonly session: Session; readonly machine: string }>()
    const believed = new Map<string, string>()

    async function live(runtime: Runtime, registry: Registry): Promise<void> {
      const draw = (): number => runtime.random.fraction('instance')
      const { machine } = runtime.identity
      const session = await settled(world, () => registry.openSession({ ttlMs, owner: machine }))
      if (session === undefined) return
      const key = keys[Math.floor(draw() * keys.length)] ?? keys[0]
      const revision = await settled(world, () => registry.register(session, key, session.id))
      if (revision !== undefined && !session.lost.aborted) {
        world.committed()
        world.reached('an instance was registered')
        const before = owners.get(key)
        if (before?.machine !== machine && before?.session.lost.aborted === false) {
          world.fail('ghost', `${key} is ${machine}'s while ${before.machine} believes in it`)
        }
        owners.set(key, { session, machine })
      }
      await sleep(runtime.timers, draw() * 3 * ttlMs)
      if (owners.get(key)?.session === session) owners.delete(key)
      await settled(world, () => session.close())
    }

    for (const machine of ['a', 'b', 'c']) {
      world.machine(machine).process('instance', async (runtime) => {
        // What a dead process believed is of no consequence.
        for (const [key, owner] of owners) if (owner.machine === machine) owners.delete(key)
        const registry = broken(engine.connect(runtime).registry)
        for (;;) {
          await live(runtime, registry)
          await sleep(runtime.timers, 100)
        }
      })
    }
    world.machine('watcher').process(
      'watcher',
      async (runtime) => {
        const registry = broken(engine.connect(runtime).registry)
        for (;;) {
          await settled(world, () => follow(world, registry, believed))
          await sleep(runtime.timers, 200)
        }
      },
      { protected: true },
    )
    if (lastsMs > 0) world.client('patience', (runtime) => sleep(runtime.timers, lastsMs))
    world.afterHealing('the watcher believes what is listed', async (runtime) => {
      const { registry } = engine.connect(runtime)
      for (let tries = 0; tries < 300; tries += 1) {
        const listed = (await settled(world, () => registry.list('')))?.entries
        const same = listed?.every(({ key, value }) => believed.get(key) === value) ?? false
        if (same && listed?.length === believed.size && believed.size > 0) return
        await sleep(runtime.timers, 100)
      }
      world.fail('news', 'the watcher never came to believe what the registry lists')
    })
  }
}

async function follow(
  world: World,
  registry: Registry,
  believed: Map<string, string>,
): Promise<void> {
  let newest = -1n
  const { signal } = new AbortController()
  for await (const change of registry.watch('', { signal })) {
    const { kind, revision } = change
    if (kind === 'compacted') return world.reached('a watch was compacted')
    if (revision <= newest) world.fail('order', `${revision} was told after ${newest}`)
    newest = revision
    if (kind === 'snapshot') {
      believed.clear()
      for (const { key, value } of change.entries) believed.set(key, value)
    } else if (kind === 'put') believed.set(change.entry.key, change.entry.value)
    else if (!believed.delete(change.key)) {
      world.fail('order', `${change.key} was removed at ${revision}, but was never there`)
    } else world.reached(`an entry was ${change.cause}`)
  }
}
