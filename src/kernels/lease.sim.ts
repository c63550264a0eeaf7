/**
 * The lease kernel on trial. Three to five processes of one machine take turns at a counter that is
 * guarded by a lease and a fence, while processes are killed and stopped, the machine loses power, hints
 * get lost and the disk is slow. Some of the work is careless on purpose: it overstays its lease. And some
 * processes are stopped at the worst moment, with a request to the store on its way.
 *
 * The judges:
 *   two-holders    While `isHeld()` is true, nobody has been given a larger token. Looked at after every
 *                  event, for every living process. (With an operator who evicts, for at most one TTL.)
 *   silent-loss    Where `isHeld()` is false, the signal has aborted.
 *   old-token      The resource never accepts a smaller token after a larger one.
 *   lost-update    Each accepted write adds one to the value that the one before it left.
 *   no-progress    After healing the work goes on.
 */
import { acceptFence, fenceTable } from '../coordination/fence.ts'
import { type EmbeddedStores, embedded } from '../drivers/embedded/index.ts'
import { HoldfastError } from '../errors.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import { type Runtime, type SqlFile, type SqlStatement, sleep } from '../runtime/index.ts'
import type { Machine, Process, World } from '../simulation/world.ts'
import { type HeldLease, holdLease } from './lease.ts'

/** A bug to plant, so that the trial can be shown to find it. */
export interface LeasePlant {
  readonly store?: (store: LeaseStore, runtime: Runtime) => LeaseStore
  readonly lease?: (lease: HeldLease) => HeldLease
  /** The resource does not look at tokens. */
  readonly noFence?: boolean
}

export interface LeaseTrialOptions {
  readonly plant?: LeasePlant
  /** An operator frees the name by force now and then. */
  readonly evictions?: boolean
}

const name = 'counter'
const ttlMs = 1_500
const progressMin = 5
/** How often a worker looks whether it was told of a loss. */
const lookMs = 25

const resourceTables = `
  CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
  INSERT INTO counter VALUES (1, 0);
  CREATE TABLE accepted (place INTEGER PRIMARY KEY, token INTEGER NOT NULL, value INTEGER NOT NULL);
`

export function leaseTrial(options: LeaseTrialOptions = {}): (world: World) => void {
  const { plant = {}, evictions = false } = options
  return (world) => {
    const machine = world.machine('m')
    const judge = holdersJudge(world, evictions ? ttlMs : 0)
    const count = 3 + (world.seed % 3)
    for (let index = 1; index <= count; index += 1) {
      const worker = `worker-${index}`
      const process: Process = machine.process(worker, (runtime) => {
        judge.restarted(worker, process)
        const store = (leases: LeaseStore): LeaseStore => {
          const stopped = stoppedAtWorst(leases, runtime, process)
          return plant.store?.(stopped, runtime) ?? stopped
        }
        const granted = (lease: HeldLease): void => judge.granted(worker, lease)
        return work({ world, runtime, plant, evictions, store, granted })
      })
    }
    if (evictions) machine.process('operator', evict)
    judgeResource(world, machine)
  }
}

/** Stops the process while the store works on its request: the answer comes when it is old. */
function stoppedAtWorst(store: LeaseStore, runtime: Runtime, process: Process): LeaseStore {
  const stopSometimes = (): void => {
    if (runtime.random.fraction('stop') > 0.03) return
    process.pause(Math.ceil(runtime.random.fraction('stop') * 1.5 * ttlMs))
  }
  return {
    ...store,
    acquire(request) {
      const answer = store.acquire(request)
      stopSometimes()
      return answer
    },
    renew(lease, forMs) {
      const answer = store.renew(lease, forMs)
      stopSometimes()
      return answer
    },
  }
}

async function evict(runtime: Runtime): Promise<void> {
  const stores = await persistently(runtime, () => openLeases(runtime))
  for (;;) {
    await sleep(runtime.timers, 500 + runtime.random.fraction('evict') * 3_000)
    await attempt(stores.leases.evict(name))
  }
}

interface Work {
  readonly world: World
  readonly runtime: Runtime
  readonly plant: LeasePlant
  readonly evictions: boolean
  store(leases: LeaseStore): LeaseStore
  granted(lease: HeldLease): void
}

/** Takes the lease, does guarded work, gives it back, for ever. */
async function work({ world, runtime, plant, evictions, ...hooks }: Work): Promise<void> {
  const upTo = (limitMs: number): number => Math.floor(runtime.random.fraction('work') * limitMs)
  const { leases } = await persistently(runtime, () => openLeases(runtime))
  const resource = await persistently(runtime, () => openResource(runtime))
  const store = hooks.store(leases)
  for (;;) {
    await sleep(runtime.timers, upTo(400))
    const waitMs = upTo(2) === 0 ? 0 : 20_000
    const taken = await attempt(holdLease(runtime, store, { name, ttlMs, waitMs }))
    if (taken === undefined) continue
    const lease = plant.lease?.(taken) ?? taken
    hooks.granted(lease)
    await attempt(section(world, runtime, resource, lease, plant.noFence ?? false))
    const wasHeld = lease.isHeld()
    const inTime = await attempt(lease.release())
    // Reasoned from the clock before the release, so a slow answer is no excuse.
    if (wasHeld && inTime === false && !evictions) world.reached('released just too late')
  }
}

async function section(
  world: World,
  runtime: Runtime,
  resource: SqlFile,
  lease: HeldLease,
  noFence: boolean,
): Promise<void> {
  const { timers, random } = runtime
  const guard: SqlStatement[] = noFence ? [] : [acceptFence('trial', name, lease.token)]
  const at = guard.length
  for (let round = 0; round < 3; round += 1) {
    const read = { sql: 'SELECT value FROM counter WHERE id = 1' }
    // The fence goes first on reading too: from here on no older holder can write.
    const seen = await resource.run({ statements: [...guard, read] })
    if (seen.refusedAt !== undefined) return world.reached('an old token was refused at reading')
    const value = Number(seen.results[at]?.rows[0]?.value)
    const thoughtMs = runtime.clock.monotonicMs() + random.fraction('think') * 1.2 * ttlMs
    while (runtime.clock.monotonicMs() < thoughtMs) {
      await sleep(timers, lookMs)
      await assertTold(world, runtime, lease)
    }
    if (!lease.isHeld()) {
      world.reached('a lease was lost at work')
      // The careful stop here; the careless go on, and the fence must stop them.
      if (random.fraction('careless') < 0.5) return
    }
    const written = await resource.run({
      statements: [
        ...guard,
        { sql: 'UPDATE counter SET value = ?1 WHERE id = 1', parameters: [value + 1] },
        {
          sql: 'INSERT INTO accepted (token, value) VALUES (?1, ?2)',
          parameters: [lease.token, value + 1],
        },
      ],
    })
    if (written.refusedAt !== undefined) return world.reached('an old token was refused at writing')
    world.reached('a write was accepted')
  }
}

/** After a pause the timers that are due may still be in line behind us, so one moment is granted. */
async function assertTold(world: World, runtime: Runtime, lease: HeldLease): Promise<void> {
  if (lease.isHeld() || lease.signal.aborted) return
  await sleep(runtime.timers, 5)
  if (!lease.signal.aborted) world.fail('silent-loss', `token ${lease.token} ran out in silence`)
}

interface HoldersJudge {
  restarted(worker: string, process: Process): void
  granted(worker: string, lease: HeldLease): void
}

/** @param graceMs how long a holder may go on believing after somebody else was given the name. */
function holdersJudge(world: World, graceMs: number): HoldersJudge {
  const processes = new Map<string, Process>()
  const latest = new Map<string, { readonly lease: HeldLease; supersededMs: number }>()
  let newest = 0n
  world.invariant('two-holders', () => {
    for (const [worker, { lease, supersededMs }] of latest) {
      // What a dead process believed is of no consequence, also after it has started again.
      if (processes.get(worker)?.alive !== true) latest.delete(worker)
      else if (world.nowMs() >= supersededMs + graceMs && lease.isHeld()) {
        return `${worker} holds ${lease.token}, but ${newest} was given`
      }
    }
    return true
  })
  return {
    restarted(worker, process) {
      processes.set(worker, process)
      latest.delete(worker)
    },
    granted(worker, lease) {
      if (lease.token <= newest) world.fail('old-token', `${lease.token} came after ${newest}`)
      newest = lease.token
      for (const held of latest.values())
        held.supersededMs = Math.min(held.supersededMs, world.nowMs())
      latest.set(worker, { lease, supersededMs: Number.POSITIVE_INFINITY })
    },
  }
}

function judgeResource(world: World, machine: Machine): void {
  const verify = async (runtime: Runtime): Promise<void> => {
    const resource = await openResource(runtime)
    const history = async () => {
      const sql = 'SELECT token, value FROM accepted ORDER BY place'
      const { results } = await resource.run({ mode: 'read', statements: [{ sql }] })
      return (results[0]?.rows ?? []).map((row) => ({
        token: Number(row.token),
        value: Number(row.value),
      }))
    }
    const before = (await history()).length
    while ((await history()).length < before + progressMin) await sleep(runtime.timers, 500)
    let newest = 0
    for (const [index, { token, value }] of (await history()).entries()) {
      if (token < newest) return world.fail('old-token', `${token} accepted after ${newest}`)
      if (value !== index + 1) return world.fail('lost-update', `write ${index + 1} left ${value}`)
      newest = token
    }
  }
  world.afterHealing('the resource tells a straight story', verify, { machine: machine.name })
}

function openLeases(runtime: Runtime): Promise<EmbeddedStores> {
  return embedded(runtime, { path: '/leases.db', namespace: 'trial' })
}

function openResource(runtime: Runtime): Promise<SqlFile> {
  return runtime.sql.open({ path: '/resource.db', migrations: [fenceTable, resourceTables] })
}

/** Failures with a known shape are part of life here; anything else fails the run. */
async function attempt<Value>(work: Promise<Value>): Promise<Value | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof HoldfastError && error.outcome !== 'invalid') return undefined
    throw error
  }
}

async function persistently<Value>(runtime: Runtime, open: () => Promise<Value>): Promise<Value> {
  for (;;) {
    const opened = await attempt(open())
    if (opened !== undefined) return opened
    await sleep(runtime.timers, 100)
  }
}
