/**
 * A service of several instances and two consumers on one file. Instances come, change, hand over to
 * another incarnation of themselves, leave in good order, are killed, paused and cut off from the
 * registry for longer than their time to live; consumers too. Consumers call whom their list names.
 *
 * Safety: a choice is always on the list; what was deregistered and once gone from a list never comes
 * back to it; without the registry the list does not change; expiries alone never empty it. Progress: some seconds after the healing every
 * list equals the instances that stand, and it outlives an outage of the registry.
 */
import { embedded } from '../../drivers/embedded/index.ts'
import type { Registry } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { FaultKind, World } from '../../simulation/world.ts'
import { roundRobin } from '../balancing/index.ts'
import type { Endpoint } from '../endpoint.ts'
import { cutOffRuntime } from './cut-off.sim.ts'
import { discovery, registration, type ServiceView } from './index.ts'

/** The faults that a machine with a file can suffer. */
export const discoveryFaults: readonly FaultKind[] = [
  'kill',
  'machine-crash',
  'pause',
  'hint-loss',
  'slow-disk',
  'wall-clock-step',
  'wall-clock-drift',
]

export interface DiscoveryTrial {
  /** Plants a bug on the side of the instances, or of the consumers. */
  readonly breakInstances?: (registry: Registry) => Registry
  readonly breakConsumers?: (registry: Registry, runtime: Runtime) => Registry
  /** Told how long each run took to agree once consumers could hear the registry again. */
  readonly converged?: (tookMs: number) => void
}

export const trialTtlMs = 2_000
/** Waiting for a session (10 s at most), its life, the hold, the watch's pause (5 s), and polls. */
export const convergenceMsMax = 30_000

/** Of 100 ms each: the slowest poll takes 1.2 s, a slow disk some more. */
const ticksUntilHeard = 40

const service = 'order'
const instances = ['a', 'b', 'c']
const store = { path: '/registry.db', namespace: 'trial' }

/** What is true, known to the judge only. */
interface Truth {
  /** The endpoint that stands for each instance now. */
  readonly standing: Map<string, string>
  /** Ids whose deregistration was confirmed. */
  readonly left: Set<string>
  readonly views: Map<string, ServiceView>
  /** Instances that have heard of the calm and change nothing more. */
  readonly settled: Set<string>
  phase: 'rough' | 'calm' | 'outage'
}

export function discoveryTrial(trial: DiscoveryTrial = {}): (world: World) => void {
  return (world) => {
    const truth: Truth = {
      standing: new Map(),
      left: new Set(),
      views: new Map(),
      settled: new Set(),
      phase: 'rough',
    }
    const host = world.machine('host')
    for (const name of instances) {
      host.process(name, (runtime) => instance(world, runtime, truth, name, trial))
    }
    for (const name of ['east', 'west']) {
      host.process(name, (runtime) => consumer(world, runtime, truth, name, trial))
    }
    world.client('clock', (runtime) => sleep(runtime.timers, 10_000))
    world.afterHealing('every list equals the instances that stand', async (runtime) => {
      truth.phase = 'calm'
      while (truth.settled.size < instances.length) await sleep(runtime.timers, 50)
      await agreement(world, runtime, truth)
      const before = [...truth.views].map(([name, view]) => ({ name, list: view.endpoints() }))
      truth.phase = 'outage'
      await sleep(runtime.timers, 3 * trialTtlMs)
      for (const { name, list } of before) {
        const view = truth.views.get(name)
        if (view?.state !== 'stale') world.fail('outage', `${name} did not notice it`)
        if (view?.endpoints() !== list) world.fail('outage', `${name} changed its list`)
      }
      world.reached('a list outlived an outage')
      truth.phase = 'calm'
      const tookMs = await agreement(world, runtime, truth)
      if (tookMs !== undefined) trial.converged?.(tookMs)
    })
  }
}

async function agreement(
  world: World,
  runtime: Runtime,
  truth: Truth,
): Promise<number | undefined> {
  const startedMs = runtime.clock.monotonicMs()
  for (;;) {
    const problems = [...truth.views].flatMap(([name, view]) => {
      const problem = view.state === 'live' ? difference(view, truth) : view.state
      return problem === undefined ? [] : [`${name}: ${problem}`]
    })
    const tookMs = runtime.clock.monotonicMs() - startedMs
    if (problems.length === 0) return tookMs
    if (tookMs > convergenceMsMax) {
      world.fail('agreement', `after ${tookMs} ms: ${problems.join('; ')}`)
      return undefined
    }
    await sleep(runtime.timers, 50)
  }
}

function difference(view: ServiceView, truth: Truth): string | undefined {
  const listed = new Set(view.endpoints().map(({ id }) => id))
  const wanted = new Set(truth.standing.values())
  const wrong = [...listed].filter((id) => !wanted.has(id))
  const missing = [...wanted].filter((id) => !listed.has(id))
  const problem = `lists ${wrong.join(' ')} too much, misses ${missing.join(' ')}`
  return wrong.length + missing.length === 0 ? undefined : problem
}

async function instance(
  world: World,
  runtime: Runtime,
  truth: Truth,
  name: string,
  { breakInstances }: DiscoveryTrial,
): Promise<void> {
  truth.standing.delete(name)
  truth.settled.delete(name)
  const restMs = (most: number): Promise<void> =>
    sleep(runtime.timers, Math.floor(runtime.random.fraction('instance') * most))
  const weak = cutOffRuntime(runtime)
  const { registry: sound } = await embedded(weak.runtime, store)
  const registry = breakInstances?.(sound) ?? sound
  const enter = () =>
    registration(runtime, registry, {
      ...{ service, instance: name, address: `${name}:80`, ttlMs: trialTtlMs },
    })
  let current = await enter()
  truth.standing.set(name, current.id)
  while (truth.phase === 'rough') {
    await restMs(4_000)
    const lot = runtime.random.fraction('instance')
    if (lot < 0.2) {
      weak.cut(true)
      world.reached('an instance was cut off')
      await restMs(3 * trialTtlMs)
      weak.cut(false)
    } else if (lot < 0.4) {
      await current.update({ weight: 1 + Math.floor(runtime.random.fraction('instance') * 9) })
    } else if (lot < 0.6) {
      // A new incarnation beside the old one, which leaves late.
      const old = current
      current = await enter()
      truth.standing.set(name, current.id)
      await restMs(1_000)
      if (await old.deregister()) truth.left.add(old.id)
      world.reached('an old incarnation left late')
    } else if (lot < 0.8) {
      truth.standing.delete(name)
      if (await current.deregister()) truth.left.add(current.id)
      world.reached('an instance left')
      await restMs(3_000)
      current = await enter()
      truth.standing.set(name, current.id)
    }
  }
  // A session that was cut off until now may yet turn out to be lost.
  await sleep(runtime.timers, trialTtlMs)
  while (!current.isRegistered) await sleep(runtime.timers, 50)
  truth.settled.add(name)
  while (truth.phase === 'calm') await sleep(runtime.timers, 50)
  // While the consumers cannot hear it, everybody is replaced.
  await sleep(runtime.timers, 1_000)
  const old = current
  current = await enter()
  truth.standing.set(name, current.id)
  await old.deregister()
  await sleep(runtime.timers, 86_400_000)
}

async function consumer(
  world: World,
  runtime: Runtime,
  truth: Truth,
  name: string,
  { breakConsumers }: DiscoveryTrial,
): Promise<void> {
  const chance = (share: number): boolean => runtime.random.fraction('consumer') < share
  const weak = cutOffRuntime(runtime)
  const { registry: sound } = await embedded(weak.runtime, store)
  const view = discovery(runtime, breakConsumers?.(sound, runtime) ?? sound, {
    service,
    lastKnownGood: { path: `/${name}.list` },
    emptyProtection: { holdMs: 5_000 },
  })
  truth.views.set(name, view)
  const balancer = roundRobin(runtime.random)
  const gone = new Set<string>()
  const liveTicks = new Map<string, number>()
  let whenLost: readonly Endpoint[] | undefined
  let lately: { readonly state: string; readonly ids: ReadonlySet<string> } | undefined

  function judge(): void {
    const listed = new Set(view.endpoints().map(({ id }) => id))
    const choice = balancer.pick()
    if (choice !== undefined && !listed.has(choice.endpoint.id)) {
      world.fail('choice', `${name} calls ${choice.endpoint.id}, which is not on its list`)
    }
    for (const id of gone) {
      if (listed.has(id)) world.fail('resurrection', `${name} lists ${id} again`)
    }
    if (view.state !== 'stale') whenLost = undefined
    else whenLost ??= view.endpoints()
    if (whenLost !== undefined && whenLost !== view.endpoints()) {
      world.fail('stale', `${name} changed its list without the registry`)
    }
    if (listed.size === 0 && lately?.state === 'live') {
      const standing = [...truth.standing.values()].filter((id) => lately?.ids.has(id))
      if (standing.length > 0) world.fail('emptied', `${name} lists nobody, and lost ${standing}`)
    }
    lately = { state: view.state, ids: listed }
    if (view.state === 'stale') world.reached('a list was stale')
    if (view.state === 'protected') world.reached('a list was protected')
  }

  /** News may be late, but after so many ticks of its own life a live view has heard it. */
  function tick(): void {
    judge()
    if (view.state !== 'live') liveTicks.clear()
    if (view.state !== 'live') return
    const listed = new Set(view.endpoints().map(({ id }) => id))
    for (const id of truth.left) {
      const ticks = (liveTicks.get(id) ?? 0) + 1
      liveTicks.set(id, ticks)
      if (ticks < ticksUntilHeard) continue
      if (listed.has(id) && !gone.has(id)) world.fail('lingering', `${name} still lists ${id}`)
      gone.add(id)
    }
  }

  await view.ready()
  balancer.update(view.endpoints())
  view.subscribe(() => {
    balancer.update(view.endpoints())
    judge()
  })
  let cutForMs = 0
  for (;;) {
    if (truth.phase === 'rough' && cutForMs <= 0 && chance(0.01)) cutForMs = 3 * trialTtlMs
    if (truth.phase !== 'rough') cutForMs = truth.phase === 'outage' ? 1 : 0
    weak.cut(cutForMs > 0)
    cutForMs -= 100
    await sleep(runtime.timers, 100)
    tick()
  }
}
