/**
 * The decision kernel on trial. Workers of one machine open, claim, move and decide the same few
 * instances, careless and slow on purpose, over a connection that loses answers, while they are killed
 * and stopped and the machine loses power. The judges believe only what some worker was told:
 *   two-outcomes   Everyone who is told an outcome of an id is told the same one.
 *   lost-state     Who claims an instance finds at least what the last accepted save left.
 *   stale-save     A save that was sent after a newer epoch had been told is not accepted, and no epoch is
 *                  given twice or after a newer one.
 *   reopened       Who asks after an outcome was told is not told that the instance is open.
 *   lost-request   Who claims an instance sees every request that was stored and not answered.
 *   no-progress    After healing, everything that was opened can be claimed and decided.
 */
import { HoldfastError } from '../errors.ts'
import type { RecordStore } from '../ports/record-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import type { World } from '../simulation/world.ts'
import { type RecordFaults, trialRecords } from './bad-line.sim.ts'
import { decisions } from './decision.ts'
import type { Decisions, Instance, Ownership } from './decision-contract.ts'

/** A bug to plant, so that the trial can be shown to find it. */
export interface DecisionPlant extends RecordFaults {
  readonly store?: (store: RecordStore) => RecordStore
  readonly kernel?: (sound: DecisionKernel, store: RecordStore) => DecisionKernel
}

interface Count {
  readonly n: number
}

interface Verdict {
  readonly by: string
}

export type DecisionKernel = Decisions<Count, Verdict>

export const trialSpace = 'trial'

const holdMs = 1_000
const idsMax = 6
const machineName = 'm'

export function decisionTrial(plant: DecisionPlant = {}): (world: World) => void {
  return (world) => {
    const judge = toldJudge(world)
    const machine = world.machine(machineName)
    for (const name of ['a', 'b', 'c']) {
      machine.process(name, (runtime) => work(world, runtime, plant, judge))
    }
    world.afterHealing('no-progress', (runtime) => settleAll(world, runtime, judge), {
      machine: machineName,
    })
  }
}

async function kernelOf(runtime: Runtime, plant: DecisionPlant): Promise<DecisionKernel> {
  const records = await trialRecords(runtime, plant)
  const options = { space: trialSpace, retainMs: 604_800_000 }
  const store = plant.store?.(records) ?? records
  const kernel = decisions<Count, Verdict>(runtime, store, options)
  return plant.kernel?.(kernel, store) ?? kernel
}

async function work(
  world: World,
  runtime: Runtime,
  plant: DecisionPlant,
  judge: ToldJudge,
): Promise<void> {
  const { random, timers, identity } = runtime
  const roll = (sides: number): number => Math.floor(random.fraction('work') * sides)
  const kernel = await persistently(runtime, () => kernelOf(runtime, plant))
  const claim = { owner: identity.process, holdMs }
  const by = `${identity.process}/${identity.incarnation.slice(0, 6)}`
  let asked = 0
  for (;;) {
    await sleep(timers, roll(150))
    // The set of ids moves on, so that there is always something fresh to fight about.
    const id = `id-${Math.floor(world.nowMs() / 3_500)}-${roll(idsMax)}`
    const action = roll(10)
    const sinceMs = world.nowMs()
    await attempt(async () => {
      if (action < 3) {
        const opened = await kernel.open(id, { n: 0 }, action === 0 ? {} : { claim })
        if (opened.status === 'found') judge.read(id, opened.instance)
        else if (opened.ownership) await hold(world, runtime, opened.ownership, by, judge, sinceMs)
      } else if (action < 6) {
        const taken = await kernel.claim(id, claim)
        if (taken.status === 'decided') judge.outcome(id, taken.outcome)
        if (taken.status === 'claimed')
          await hold(world, runtime, taken.ownership, by, judge, sinceMs)
      } else if (action < 8) {
        const { claimed } = await kernel.claimDue({ claim, limit: 1 })
        for (const own of claimed) await hold(world, runtime, own, by, judge, sinceMs)
      } else if (action === 8) {
        judge.read(id, await kernel.read(id))
      } else if (roll(4) === 0) {
        const early = await kernel.decide(id, { by: `${by} from outside` })
        judge.outcome(id, early.outcome)
      } else {
        asked += 1
        const request = `${by}/${asked}`
        const answer = await kernel.request(id, { id: request, body: 'please' })
        if (answer === 'stored') judge.requested(id, request)
      }
    })
  }
}

/** One turn as an owner: some saves, pauses that are too long, and an end or none. */
async function hold(
  world: World,
  runtime: Runtime,
  own: Ownership<Count, Verdict>,
  by: string,
  judge: ToldJudge,
  sinceMs: number,
): Promise<void> {
  const { random, timers } = runtime
  const { id, epoch } = own
  judge.claimed(id, epoch, own.state.n, sinceMs)
  judge.sees(id, own.requests, sinceMs)
  if (epoch > 1n) world.reached('a takeover')
  const saves = Math.floor(random.fraction('hold') * 4)
  for (let index = 0; index < saves; index += 1) {
    await sleep(timers, Math.floor(random.fraction('think') ** 3 * 2 * holdMs))
    const sent = judge.sending(id)
    const answered = own.requests.map((request) => request.id)
    judge.answers(id, answered)
    const n = own.state.n + 1
    try {
      await own.save({ n }, { answered })
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'lease-lost') {
        world.reached('a late owner was refused')
      }
      throw error
    }
    judge.saved(id, epoch, n, sent)
  }
  const end = random.fraction('end')
  if (end < 0.3) return // gone without a word
  if (end < 0.6) return own.giveUp({ dueInMs: Math.floor(end * 1_000) })
  const sent = judge.sending(id)
  const decided = await own.decide({ by })
  world.reached('an owner decided')
  judge.outcome(id, decided.outcome)
  if (decided.won) judge.saved(id, epoch, own.state.n, sent)
}

interface ToldJudge {
  readonly ids: () => readonly string[]
  /** @returns the newest epoch told by now: a save that is sent after it must not be older. */
  sending(id: string): bigint
  /** Told now; asked for at `sinceMs`, and an answer can be long under way to a process that stands still. */
  claimed(id: string, epoch: bigint, n: number, sinceMs: number): void
  saved(id: string, epoch: bigint, n: number, newestAtSending: bigint): void
  outcome(id: string, verdict: Verdict): void
  read(id: string, instance: Instance<Count, Verdict> | undefined): void
  /** An outsider was told that the request is stored. */
  requested(id: string, request: string): void
  /** An owner who began to claim at `sinceMs` sees these. */
  sees(id: string, requests: Requests, sinceMs: number): void
  /** A save that answers these is about to be sent. */
  answers(id: string, requests: readonly string[]): void
}

type Requests = Ownership<Count, Verdict>['requests']

function toldJudge(world: World): ToldJudge {
  const epochs = new Map<string, bigint>()
  const counts = new Map<string, number>()
  const given = new Set<string>()
  const newestToldMs = new Map<string, number>()
  const outcomes = new Map<string, string>()
  const decidedToldMs = new Map<string, number>()
  /** By instance: what was stored, and when its sender was told. */
  const asked = new Map<string, Map<string, number>>()
  const answered = new Set<string>()
  const newest = (id: string): bigint => epochs.get(id) ?? 0n

  function open(id: string, n: number, known: number): void {
    if (n < known) world.fail('lost-state', `${id} is at ${n}, but ${known} was saved`)
  }

  function outcome(id: string, { by }: Verdict): void {
    const first = outcomes.get(id)
    if (first === undefined) {
      outcomes.set(id, by)
      decidedToldMs.set(id, world.nowMs())
    } else if (first !== by)
      world.fail('two-outcomes', `${id} was decided by ${first} and by ${by}`)
  }

  return {
    ids: () => [...new Set([...epochs.keys(), ...outcomes.keys()])].sort(),
    sending: newest,
    claimed(id, epoch, n, sinceMs) {
      if ((decidedToldMs.get(id) ?? Infinity) < sinceMs) {
        world.fail('reopened', `${id} was decided by ${outcomes.get(id)}`)
      }
      if (given.has(`${epoch} of ${id}`)) {
        world.fail('stale-save', `${id}: epoch ${epoch} was given twice`)
      }
      given.add(`${epoch} of ${id}`)
      if (epoch < newest(id)) {
        world.reached('a claim was told late')
        if ((newestToldMs.get(id) ?? Infinity) < sinceMs) {
          world.fail('stale-save', `${id}: epoch ${epoch} was given after ${newest(id)}`)
        }
        return
      }
      epochs.set(id, epoch)
      newestToldMs.set(id, world.nowMs())
      open(id, n, counts.get(id) ?? 0)
      counts.set(id, n)
    },
    saved(id, epoch, n, newestAtSending) {
      if (epoch < newestAtSending) {
        world.fail('stale-save', `${id}: epoch ${epoch} saved after ${newestAtSending} was told`)
      }
      if (epoch === newest(id)) counts.set(id, n)
    },
    outcome,
    read(id, instance) {
      if (instance?.status === 'decided') outcome(id, instance.outcome)
    },
    requested(id, request) {
      const known = asked.get(id) ?? new Map<string, number>()
      asked.set(id, known.set(request, world.nowMs()))
    },
    sees(id, requests, sinceMs) {
      for (const [request, storedMs] of asked.get(id) ?? []) {
        if (storedMs >= sinceMs || answered.has(request)) continue
        if (requests.some((seen) => seen.id === request)) world.reached('a request was seen')
        else world.fail('lost-request', `${id}: ${request} was stored and is gone`)
      }
    },
    answers(_id, requests) {
      for (const request of requests) answered.add(request)
    },
  }
}

/** On a good line: whatever is open must be there for the taking, and end. */
async function settleAll(world: World, runtime: Runtime, judge: ToldJudge): Promise<void> {
  const kernel = await persistently(runtime, () => kernelOf(runtime, {}))
  const claim = { owner: 'last', holdMs }
  for (const id of judge.ids()) {
    for (;;) {
      const sinceMs = world.nowMs()
      const taken = await kernel.claim(id, claim)
      if (taken.status === 'absent') await kernel.open(id, { n: 0 })
      if (taken.status === 'held') await sleep(runtime.timers, 200)
      if (taken.status === 'claimed') {
        judge.claimed(id, taken.ownership.epoch, taken.ownership.state.n, sinceMs)
        judge.outcome(id, (await taken.ownership.decide({ by: 'last' })).outcome)
      }
      if (taken.status !== 'decided') continue
      judge.outcome(id, taken.outcome)
      break
    }
  }
}

/** Failures with a known shape are part of life here; anything else fails the run. */
async function attempt(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof HoldfastError && error.outcome !== 'invalid') return
    throw error
  }
}

async function persistently<T>(runtime: Runtime, open: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.outcome === 'invalid') throw error
      await sleep(runtime.timers, 100)
    }
  }
}
