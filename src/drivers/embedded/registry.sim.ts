/**
 * Instances come and go on one machine while watchers follow: instances change their entries, leave in
 * order or without a word; processes are killed and paused for longer than their sessions, the machine
 * loses power, hints are lost.
 */
import { isHoldfastError, outcomeOf } from '../../errors.ts'
import type { Registry, Session } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import { embedded } from './embedded.ts'
import { type RegistryJudge, registryJudge } from './registry-judge.ts'

export interface RegistryTrial {
  /** How long it lasts before the healing, in virtual time. */
  readonly lastsMs?: number
  /** Plants a bug. */
  readonly broken?: (registry: Registry) => Registry
}

const ttlMs = 800
const stepMs = 200

export function registryTrial(trial: RegistryTrial = {}): (world: World) => void {
  const { lastsMs = 3_000, broken } = trial
  return (world) => {
    const judge = registryJudge(ttlMs, (verdict, message) => world.fail(verdict, message))
    const host = world.machine('host')
    let boot = ''
    const start = (
      name: string,
      work: (on: Runtime, registry: Registry) => Promise<void>,
    ): void => {
      host.process(name, async (runtime) => {
        if (boot !== runtime.clock.bootId) judge.rebooted()
        boot = runtime.clock.bootId
        const { registry } = await embedded(runtime, { path: '/trial.db', namespace: 'trial' })
        for (;;) await work(runtime, broken?.(registry) ?? registry)
      })
    }
    for (const name of ['one', 'two', 'three']) {
      start(name, (runtime, registry) => live(world, runtime, registry, judge, name))
    }
    for (const name of ['watcher-one', 'watcher-two']) {
      start(name, (runtime, registry) => watch(world, runtime, registry, judge))
    }
    world.client('clock', (runtime) => sleep(runtime.timers, lastsMs))
    world.afterHealing('watchers are told again', async (runtime) => {
      const before = judge.changes
      for (let waitedMs = 0; judge.changes < before + 20; waitedMs += 100) {
        if (waitedMs > 60_000) return world.fail('progress', `${judge.changes - before} changes`)
        await sleep(runtime.timers, 100)
      }
    })
  }
}

/** One session of an instance, with an entry that only it writes and one that all want. */
async function live(
  world: World,
  runtime: Runtime,
  registry: Registry,
  judge: RegistryJudge,
  name: string,
): Promise<void> {
  const { clock, timers, random } = runtime
  const chance = (share: number): boolean => random.fraction('instance') < share
  const session = await settled(() => registry.openSession({ ttlMs, owner: name }))
  if (session === undefined) return sleep(timers, stepMs)
  const own = `${name}/${session.incarnation}`
  const present = new Set<string>()
  const steps = Math.floor(random.fraction('instance') * 30)
  for (let step = 0; step < steps && !session.lost.aborted; step += 1) {
    judge.alive(session.id, clock.monotonicMs())
    const key = chance(0.7) ? own : 'leader'
    await change(session, key, String(step))
    if (present.has(own) && chance(0.3)) {
      const list = await settled(() => registry.list(''))
      const valid = session.validUntilMs() > clock.monotonicMs() && !session.lost.aborted
      if (list !== undefined && valid) judge.mustContain(list, own)
    }
    await sleep(timers, stepMs * random.fraction('instance'))
  }
  if (session.lost.aborted) world.reached('a session was lost')
  // Some leave without a word; their session stays alive until the process ends it by closing.
  if (chance(0.3)) await sleep(timers, stepMs)
  judge.leaves(session.id)
  await settled(() => session.close())

  async function change(of: Session, key: string, value: string): Promise<void> {
    if (chance(0.2)) {
      present.delete(key)
      judge.leaves(of.id, key)
      await settled(() => registry.deregister(of, key))
      return
    }
    const revision = await settled(() => registry.register(of, key, value))
    if (revision === undefined) return
    judge.registered(revision, key, value, of.id)
    present.add(key)
  }
}

/** Watches for a while, resumes from where it was, and looks at a whole list now and then. */
async function watch(
  world: World,
  runtime: Runtime,
  registry: Registry,
  judge: RegistryJudge,
): Promise<void> {
  const { clock, timers, random } = runtime
  const view = judge.watcher()
  let fromRevision: bigint | undefined
  for (let round = 0; round < 5; round += 1) {
    const over = new AbortController()
    timers.schedule(600 * random.fraction('watcher'), () => over.abort())
    const from = fromRevision === undefined ? {} : { fromRevision }
    const ended = await settled(async () => {
      for await (const change of registry.watch('', { signal: over.signal, ...from })) {
        if (change.kind === 'compacted') return 'compacted'
        view.told(change)
        fromRevision = change.revision
      }
      return 'aborted'
    })
    if (ended === 'compacted') return world.reached('a watch was compacted')
    const askedMs = clock.monotonicMs()
    const list = await settled(() => registry.list(''))
    if (list !== undefined) judge.listed(list, askedMs)
    await sleep(timers, stepMs)
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
