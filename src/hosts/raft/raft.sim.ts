/**
 * The whole member on trial: real storage on simulated disks, real links over a simulated network, clients
 * that ask again when they do not know, an operator who hands leadership over, takes snapshots and
 * exchanges members, and every misfortune that Raft must survive, the loss of a minority's disks among them.
 *
 * The judges:
 *   raft invariants   the five properties of the paper, after every event, over all members.
 *   linearizable      one order explains all that clients saw, true to real time; open calls may or may not
 *                     have happened.
 *   misfed            the machine gets each index once, in order.
 *   fault             no member stops for another reason than its disk, its removal or its closing.
 *   progress          after healing every member serves again, and all agree on the state.
 */
import { raftInvariants } from '../../protocols/raft/invariants.ts'
import type { RaftState } from '../../protocols/raft/state.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { FaultKind, World } from '../../simulation/world.ts'
import { linearizable } from '../../verification/judge.ts'
import { type KvInput, type KvOutput, kvModel } from './kv-machine.sim.ts'
import { type Bug, type LiveMember, memberProgram, type Trial } from './raft-member.sim.ts'

export const raftTrialFaults: readonly FaultKind[] = [
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
  'disk-full',
  'sync-failure',
  'wall-clock-step',
  'monotonic-drift',
  'machine-loss',
]

export interface RaftTrialOptions {
  /** Voters; one seed in eight has five. Default 3. */
  readonly voters?: 3 | 5
  /** How long clients work before the healing, in virtual time. */
  readonly lastsMs?: number
  readonly bug?: Bug
}

export function raftTrial(options: RaftTrialOptions = {}): (world: World) => void {
  return (world) => {
    const votersMin = options.voters ?? (world.seed % 8 === 0 ? 5 : 3)
    const names = Array.from({ length: votersMin + 1 }, (_, index) => `m${index}`)
    const trial: Trial = {
      world,
      history: world.history<KvInput, KvOutput>(),
      founders: names.slice(0, votersMin),
      live: new Map(),
      begun: new Set(),
      phase: 'working',
      served: new Map(),
      bug: options.bug ?? {},
      watch: watched(world),
    }
    for (const name of names) {
      world
        .machine(name)
        .process(`member-${name}`, (runtime) => memberProgram(trial, name, runtime))
    }
    world.client('clock', (runtime) => sleep(runtime.timers, options.lastsMs ?? 1_500))
    world.afterHealing('all serve and agree', (runtime) => allServeAndAgree(trial, runtime))
    world.check(linearizable(kvModel))
  }
}

/** The invariants are looked at after every event, over the members that had a turn in it. */
function watched(world: World): (state: RaftState) => void {
  const invariants = raftInvariants()
  const changed = new Set<RaftState>()
  let elections = 0
  world.invariant('raft invariants', () => {
    if (changed.size === 0) return true
    const broken = invariants.check(changed)
    changed.clear()
    if (invariants.elections() > elections) {
      elections = invariants.elections()
      if (elections === 3) world.reached('three terms had leaders')
    }
    return broken ?? true
  })
  return (state) => changed.add(state)
}

async function allServeAndAgree(trial: Trial, runtime: Runtime): Promise<void> {
  trial.phase = 'healed'
  trial.served.clear()
  const rest = (): Promise<void> => sleep(runtime.timers, 20)
  const allServe = (): boolean => {
    const all = members(trial)
    return all.length > 0 && all.every(({ id }) => (trial.served.get(id) ?? 0) >= 2)
  }
  while (!allServe()) await rest()
  trial.phase = 'quiet'
  while (!agree(members(trial))) await rest()
}

/** Members that run, by the word of the latest leader; none while it is not followed by a majority. */
function members({ live }: Trial): readonly LiveMember[] {
  const all = [...live.values()]
  const [leader] = all
    .map(({ host }) => host.status())
    .filter(({ role }) => role === 'leader')
    .sort((left, right) => right.term - left.term)
  const { voters = [], learners = [] } = leader?.configuration ?? {}
  const running = all.filter(({ id }) => voters.includes(id))
  if (running.length * 2 <= voters.length) return []
  return [...running, ...all.filter(({ id }) => learners.includes(id))]
}

function agree(all: readonly LiveMember[]): boolean {
  const [first] = all
  if (first === undefined) return false
  const applied = first.host.status().applied
  return all.every(({ host, machine }) => {
    const { applied: own, commit } = host.status()
    return own === applied && commit === applied && machine.digest() === first.machine.digest()
  })
}
