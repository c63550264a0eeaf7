/**
 * One machine of the trial: who it is, by what its disk says; a host for as long as it runs; clients who
 * work on it; and an operator who acts while it leads.
 */
import { isHoldfastError, outcomeOf } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import type { MemberId } from '../../protocols/raft/entry.ts'
import type { RaftState } from '../../protocols/raft/state.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { History } from '../../simulation/history.ts'
import type { World } from '../../simulation/world.ts'
import type { RaftHost } from './contract.ts'
import {
  decodeAnswer,
  encodeCommand,
  type KvInput,
  type KvMachine,
  type KvOutput,
  kvMachine,
} from './kv-machine.sim.ts'
import { noSeal } from './plain-seal.ts'
import { type RaftHostParts, raftHostOf } from './raft-host.ts'
import { operate } from './raft-operator.sim.ts'

/** A bug to plant. */
export interface Bug {
  readonly parts?: Partial<RaftHostParts>
  readonly runtime?: (runtime: Runtime) => Runtime
  /** Believes that what is not known did not happen. */
  readonly forgetsDoubt?: boolean
  /** A lost disk comes back under its old name. */
  readonly sameName?: boolean
  readonly machine?: (machine: KvMachine) => KvMachine
}

export interface LiveMember {
  readonly id: MemberId
  readonly host: RaftHost
  readonly machine: KvMachine
}

export interface Trial {
  readonly world: World
  readonly history: History<KvInput, KvOutput>
  /** Machines whose members are the first ones. */
  readonly founders: readonly string[]
  /** By machine: what runs there now, or did when it died. */
  readonly live: Map<string, LiveMember>
  /** Machines that have had a member. */
  readonly begun: Set<string>
  phase: 'working' | 'healed' | 'quiet'
  /** Operations answered since the healing, by member. */
  readonly served: Map<MemberId, number>
  readonly bug: Bug
  watch(state: RaftState): void
}

export const timing = { electionMs: 150, heartbeatMs: 40 } as const

/** What may be wrong for a while; all else is a bug. */
function isBadLuck(error: unknown): boolean {
  return isHoldfastError(error) && error.outcome !== 'invalid'
}

export async function memberProgram(trial: Trial, name: string, real: Runtime): Promise<void> {
  const runtime = trial.bug.runtime?.(real) ?? real
  let refusedName = false
  for (;;) {
    try {
      const id = await identity(trial, name, runtime, refusedName)
      refusedName = (await life(trial, name, id, runtime)) === 'removed'
    } catch (error) {
      if (!isBadLuck(error)) throw error
    }
    await sleep(runtime.timers, 30)
  }
}

/** From the start of a host to its stop. */
async function life(
  trial: Trial,
  name: string,
  id: MemberId,
  runtime: Runtime,
): Promise<'removed' | 'stopped'> {
  const { world, bug, founders } = trial
  const made = kvMachine((message) => world.fail('misfed', `${id}: ${message}`))
  const machine = bug.machine?.(made) ?? made
  const isFounder = founders.includes(id)
  // Curves cost more than all the rest of a seed, so few are sealed.
  const isSealed = world.seed % 32 === 5
  const host = await raftHostOf(
    {
      runtime,
      id,
      clusterId: 'trial',
      folder: `/member-${id}`,
      listen: '0.0.0.0:7000',
      bootstrap: {
        voters: isFounder ? founders : [],
        outgoing: [],
        learners: [],
        addresses: isFounder
          ? Object.fromEntries(founders.map((founder) => [founder, `${founder}:7000`]))
          : {},
        retired: [],
      },
      machine,
      observer: reaching(world),
      raft: { ...timing, leaseDrift: 0.02 },
      snapshotEveryEntries: 15,
      keepEntries: 4,
      segmentBytes: 8_192,
      ...(isSealed ? { secrets: [new Uint8Array(32).fill(1)] } : {}),
    },
    { seal: isSealed ? undefined : noSeal, ...bug.parts, watch: trial.watch },
  )
  trial.live.set(name, { id, host, machine })
  const member: RunningMember = { trial, runtime, id, host, machine, running: () => running }
  let running = true
  const ended = host.stopped.then((reason) => {
    running = false
    return reason
  })
  const work = [client(member, 0), client(member, 1), operate(member)]
  const reason = await ended
  await Promise.all(work)
  trial.live.delete(name)
  if (reason.kind === 'fault') world.fail('fault', `${id}: ${reason.error.stack}`)
  if (reason.kind === 'disk') world.reached('a member stopped because of its disk')
  return reason.kind === 'removed' ? 'removed' : 'stopped'
}

export interface RunningMember {
  readonly trial: Trial
  readonly runtime: Runtime
  readonly id: MemberId
  readonly host: RaftHost
  readonly machine: KvMachine
  running(): boolean
}

/**
 * The id that the machine's disk remembers. A machine whose disk was lost, or whose member was removed,
 * comes back as a new member: that is the operator's part of the bargain.
 */
async function identity(
  trial: Trial,
  name: string,
  { disk, random }: Runtime,
  isOver: boolean,
): Promise<MemberId> {
  const kept = await readText(disk, '/whoami')
  if (kept !== undefined && !isOver) return kept
  const isFirst = trial.founders.includes(name) && !trial.begun.has(name)
  const again = trial.bug.sameName === true && kept === undefined
  const id = isFirst || again ? name : `${name}-${random.id('trial').slice(0, 6)}`
  const file = await disk.open('/whoami.new', 'create')
  await file.truncate(0)
  await file.writeAt(0, new TextEncoder().encode(id))
  await file.sync()
  await file.close()
  await disk.rename('/whoami.new', '/whoami')
  await disk.syncDirectory('/')
  trial.begun.add(name)
  return id
}

async function readText(disk: Disk, path: string): Promise<string | undefined> {
  if (!(await disk.list('/')).includes(path.slice(1))) return undefined
  const file = await disk.open(path, 'read')
  const bytes = await file.readAt(0, 100)
  await file.close()
  return bytes.length === 0 ? undefined : new TextDecoder().decode(bytes)
}

/** One operation after the other, each with a number of its own. */
async function client(member: RunningMember, number: number): Promise<void> {
  const { trial, runtime } = member
  const upTo = (most: number): number =>
    Math.floor(runtime.random.fraction(`client-${number}`) * most)
  const session = runtime.random.id(`client-${number}`).slice(0, 8)
  let sequence = 0
  while (member.running() && trial.phase !== 'quiet') {
    await sleep(runtime.timers, 10 + upTo(trial.phase === 'working' ? 160 : 40))
    if (!member.running()) return
    const key = `k${upTo(3)}`
    const value = `${session}${sequence}`
    const dice = upTo(100)
    if (dice < 45) {
      await get(member, { type: 'get', key, by: dice < 15 ? 'lease' : 'quorum' })
      continue
    }
    sequence += 1
    if (dice < 70) await write(member, { type: 'put', key, value }, session, sequence)
    else if (dice < 85) {
      const short = String.fromCharCode(97 + upTo(26))
      await write(member, { type: 'append', key, value: short }, session, sequence)
    } else {
      const from = member.machine.read(key)
      await write(member, { type: 'cas', key, from, value }, session, sequence)
    }
  }
}

function served({ trial, id }: RunningMember): void {
  trial.served.set(id, (trial.served.get(id) ?? 0) + 1)
}

async function get(
  member: RunningMember,
  input: Extract<KvInput, { readonly type: 'get' }>,
): Promise<void> {
  const { trial, host, machine } = member
  const call = trial.history.call(input)
  try {
    await host.readBarrier(input.by, { timeoutMs: 400 })
    call.returned(machine.read(input.key))
    served(member)
    if (input.by === 'lease') trial.world.reached('a read under the lease')
  } catch (error) {
    if (!isBadLuck(error)) throw error
    call.failed()
  }
}

async function write(
  member: RunningMember,
  input: KvInput,
  session: string,
  sequence: number,
): Promise<void> {
  const { trial, runtime, host } = member
  const { world } = trial
  const call = trial.history.call(input)
  const command = encodeCommand({ session, sequence, lowest: sequence, input })
  let doubt = false
  for (let attempt = 0; attempt < 3 && member.running(); attempt += 1) {
    try {
      const answer = decodeAnswer(await host.propose(command, { timeoutMs: 300 }))
      if (answer === 'over') return
      call.returned(input.type === 'cas' ? answer : true)
      served(member)
      if (doubt) world.reached('a doubt was cleared')
      return
    } catch (error) {
      if (!isBadLuck(error)) throw error
      if (outcomeOf(error) === 'unknown') {
        world.reached('an outcome was unknown')
        doubt = trial.bug.forgetsDoubt !== true
      } else world.reached('a command was refused')
    }
    await sleep(runtime.timers, 20)
  }
  // What was refused each time never happened; what was once in doubt may still.
  if (!doubt) call.failed()
}

const events: Readonly<Record<string, string>> = {
  raftSnapshotSaved: 'a snapshot was saved',
  raftSnapshotInstalled: 'a snapshot was installed',
  raftSnapshotNotReceived: 'a snapshot was cut off',
  raftDiskFailed: 'a disk failed',
}

/** What members report, as labels. */
function reaching(world: World): Observer {
  return {
    event(name) {
      const label = events[name]
      if (label !== undefined) world.reached(label)
    },
    count() {},
    measure() {},
    snapshot: () => () => {},
  }
}
