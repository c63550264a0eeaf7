/**
 * Three members, and a fourth that may take the place of one, serve a key-value store to clients, while
 * machines lose power, links break, datagrams are lost, doubled and late, and disks fail.
 *
 * Judged after every event: what any member believes chosen in a slot is what all believe. In the end: the
 * clients' history is that of one copy, in which each command happened once, and the members agree.
 */
import { outcomeOf } from '../../errors.ts'
import type { Configuration } from '../../protocols/paxos/contract.ts'
import { type PaxosState, step, take } from '../../protocols/paxos/paxos.ts'
import { type Quorums, quorums } from '../../protocols/paxos/quorum.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { Scenario } from '../../simulation/simulate.ts'
import type { FaultKind, Process, World } from '../../simulation/world.ts'
import {
  checkLinearizability,
  type KeyValueInput,
  type KeyValueOutput,
  keyValue,
  type Operation,
} from '../../verification/index.ts'
import { paxosClient } from './client.ts'
import type { PaxosHost, PaxosHostOptions, PaxosMachine, PaxosProtocol } from './contract.ts'
import { paxosHost } from './host.ts'
import { keyValueMachine, type StoreCommand } from './key-value.sim.ts'
import type { PaxosStorage } from './storage.ts'

export const paxosTrialFaults: readonly FaultKind[] = [
  'kill',
  'machine-crash',
  'pause',
  'partition',
  'one-way-partition',
  'datagram-loss',
  'datagram-disorder',
  'slow-network',
  'slow-disk',
  'torn-write',
  'disk-full',
  'sync-failure',
]

export interface PaxosTrial {
  readonly quorums?: Quorums
  readonly members?: readonly string[]
  readonly commandsEach?: number
  /** In which share of the seeds a member is replaced. Default 0.4. */
  readonly changes?: number
  /** Where a test plants its bug. */
  readonly storage?: PaxosHostOptions['storage']
  readonly protocol?: PaxosHostOptions['protocol']
  readonly machine?: (machine: PaxosMachine) => PaxosMachine
}

type Step = Operation<KeyValueInput, KeyValueOutput>

interface Group {
  readonly trial: PaxosTrial
  readonly members: readonly string[]
  readonly configuration: Configuration
  /** Live members' own views, for the judge. */
  readonly states: Map<string, Seen>
  /** The value that was first believed chosen in each slot. */
  readonly chosen: Map<number, string>
  readonly processes: Map<string, Process>
  /** Those that have just promised or accepted something: now is when dying hurts. */
  readonly marked: Set<string>
  readonly history: Step[]
  readonly mustChange: boolean
  /** Do members stand without need? */
  readonly isRestless: boolean
}

interface Seen {
  readonly state: PaxosState
  checked: number
}

const spare = 'd'
const keys = ['x', 'y', 'z']

export function paxosTrial(trial: PaxosTrial = {}): Scenario {
  return (world) => {
    const { members = ['a', 'b', 'c'], changes = 0.4 } = trial
    const addresses = Object.fromEntries(members.map((name) => [name, `${name}:7400`]))
    const group: Group = {
      ...{ trial, members, states: new Map(), chosen: new Map(), history: [] },
      ...{ processes: new Map(), marked: new Set() },
      configuration: {
        ...{ members, addresses, retired: [] },
        quorums: trial.quorums ?? quorums(members.length),
      },
      // By the seed's own digits: no draw that a fault could shift.
      mustChange: (world.seed * 0.618_034) % 1 < changes,
      isRestless: world.seed % 4 > 0,
    }
    const all = group.mustChange ? [...members, spare] : members
    for (const name of all) {
      const main = (runtime: Runtime): Promise<void> => member(world, runtime, group, name)
      group.processes.set(name, world.machine(name).process(name, main, { mayThrow: true }))
    }
    for (const name of ['c1', 'c2', 'c3', 'c4', 'c5']) {
      world.client(name, (runtime) => client(world, runtime, group))
    }
    if (world.seed % 2 === 0) world.client('cutter', (runtime) => cutter(world, runtime, group))
    else world.client('killer', (runtime) => killer(world, runtime, group))
    world.invariant('agreement', () => agreement(world, group))
    world.afterHealing('one copy, and one only', async (runtime) => {
      await convergence(world, runtime, group)
      const report = checkLinearizability(group.history, keyValue(), { stepsMax: 2e6 })
      if (report.verdict === 'violation') {
        world.fail('not linearizable', shownHistory(group.history))
      }
      world.reached(`verdict ${report.verdict}`)
    })
  }
}

async function member(world: World, runtime: Runtime, group: Group, name: string): Promise<void> {
  const { trial, configuration } = group
  const store = keyValueMachine()
  let hadLeader: string | undefined
  const host = await paxosHost(runtime, {
    ...{ id: name, address: `${name}:7400`, folder: '/paxos' },
    genesis: { configuration, alpha: 8 },
    machine: trial.machine?.(store) ?? store,
    ...{ electionMs: 400, heartbeatMs: 100, snapshotEvery: 12, keep: 4, segmentBytes: 8_192 },
    storage: (storage, id) => unsteady(runtime, trial.storage?.(storage, id) ?? storage),
    protocol: watched(world, restless(runtime, group)),
    watch(state, out) {
      if (group.states.get(name)?.state !== state) group.states.set(name, { state, checked: 0 })
      const kinds = new Set(out.sendAfter.map(({ message }) => message.kind))
      if (kinds.has('promise') || kinds.has('accepted')) group.marked.add(name)
      if (out.install !== undefined) world.reached('a snapshot was installed')
      if (out.chosen.some(({ value }) => value.kind === 'nothing')) {
        world.reached('a hole was filled')
      }
      if (state.refusals > 0) world.reached('a ballot was outbid')
      if (hadLeader !== undefined && state.leader !== hadLeader) world.reached('the leader changed')
      hadLeader = state.leader
    },
  })
  if (group.mustChange) runtime.tasks.spawn('operator', () => operator(world, runtime, group, host))
  const reason = await host.stopped
  group.states.delete(name)
  world.reached(`stopped: ${reason.kind}`)
  // As a supervisor would: a member with a doubtful disk starts again and reads what is there.
  if (reason.kind === 'disk') throw reason.error
}

/** Parts whoever leads from the other members, but not from the clients, so that it may not notice. */
async function cutter(world: World, runtime: Runtime, { states, members }: Group): Promise<void> {
  for (let times = 0; times < 3; times++) {
    await sleep(runtime.timers, runtime.random.fraction('cutter') * 1_500)
    const leading = members.find((name) => states.get(name)?.state.lead?.hasWon === true)
    if (leading === undefined) continue
    for (const name of [...members, spare]) {
      if (name !== leading) world.faults.partition(leading, name)
    }
    world.reached('a leader was cut off')
    await sleep(runtime.timers, 1_500)
    world.faults.heal()
  }
}

/** Kills a member soon after it has said something to be kept. */
async function killer(
  world: World,
  runtime: Runtime,
  { processes, marked, states }: Group,
): Promise<void> {
  const chance = (): number => runtime.random.fraction('killer')
  for (let times = 0; times < 6; times++) {
    await sleep(runtime.timers, 100 + chance() * 400)
    marked.clear()
    for (let waits = 0; waits < 20 && marked.size === 0; waits++) await sleep(runtime.timers, 3)
    const [name] = marked
    const process = processes.get(name ?? '')
    if (name === undefined || process === undefined || !states.has(name)) continue
    process.kill()
    world.reached('killed soon after an answer')
    await sleep(runtime.timers, chance() * 60)
    process.restart()
  }
}

/** Most writes are quick; some take long enough for something to happen meanwhile. */
function unsteady(runtime: Runtime, storage: PaxosStorage): PaxosStorage {
  const chance = (): number => runtime.random.fraction('disk')
  return {
    ...storage,
    async write(batch) {
      if (chance() < 0.15) await sleep(runtime.timers, chance() * 300)
      await storage.write(batch)
    },
  }
}

/** Stands now and then although there is a leader: that must cost time at most. */
function restless(runtime: Runtime, { trial, isRestless }: Group): PaxosProtocol {
  const protocol = trial.protocol ?? { step, take }
  if (!isRestless) return protocol
  return {
    ...protocol,
    step(state, input, nowMs) {
      protocol.step(state, input, nowMs)
      const isBeat = input.kind === 'message' && input.message.kind === 'heartbeat'
      if (!isBeat || runtime.random.fraction('restless') >= 0.03) return
      protocol.step(state, { kind: 'campaign' }, nowMs)
    },
  }
}

/** A member that finds something impossible stops; here it must not go unnoticed. */
function watched(world: World, protocol: PaxosProtocol): PaxosProtocol {
  return {
    ...protocol,
    step(state, input, nowMs) {
      try {
        protocol.step(state, input, nowMs)
      } catch (error) {
        world.fail('agreement', String(error))
        throw error
      }
    },
  }
}

/** Whoever leads at that time puts the spare in the place of a member. */
async function operator(
  world: World,
  runtime: Runtime,
  group: Group,
  host: PaxosHost,
): Promise<void> {
  await sleep(runtime.timers, 1_000 + runtime.random.fraction('operator') * 3_000)
  const { role, configuration } = host.status()
  if (role !== 'leader' || configuration.members.includes(spare)) return
  const victim = group.members[world.seed % group.members.length]
  const members = [...group.members.filter((name) => name !== victim), spare]
  const change = { members, addresses: { [spare]: `${spare}:7400` } }
  await host.change(change, { timeoutMs: 5_000 }).then(
    () => world.reached('members were changed'),
    () => world.reached('a change had no answer'),
  )
}

async function client(world: World, runtime: Runtime, group: Group): Promise<void> {
  const { commandsEach = 10 } = group.trial
  const process = runtime.identity.machine
  const chance = (): number => runtime.random.fraction('workload')
  const asking = await paxosClient(runtime, {
    ...{ address: `${process}:0`, retryMs: 300 },
    members: group.members.map((name) => `${name}:7400`),
  })
  // One whose command has no known end goes on as another.
  let life = 0
  for (let n = 0; n < commandsEach; n++) {
    await sleep(runtime.timers, chance() * 300)
    const key = keys[Math.floor(chance() * keys.length)] ?? 'x'
    const lot = chance()
    const value = `${process}.${n} `
    const input: KeyValueInput =
      lot < 0.35 ? { type: 'get', key } : { type: lot < 0.8 ? 'append' : 'put', key, value }
    const calledAt = world.nowMs()
    const step = { process: `${process}/${life}`, input, calledAt }
    try {
      const command = JSON.stringify(input satisfies StoreCommand)
      const bytes = new TextEncoder().encode(command)
      const asked =
        input.type === 'get' && chance() < 0.7
          ? asking.question(bytes, { timeoutMs: 2_000 })
          : asking.command(bytes, { timeoutMs: 2_000 })
      const output: KeyValueOutput = JSON.parse(new TextDecoder().decode(await asked))
      group.history.push({ ...step, output, returnedAt: world.nowMs() })
      world.reached('answered')
    } catch (error) {
      world.reached(outcomeOf(error))
      if (outcomeOf(error) !== 'unknown') continue
      life++
      group.history.push({ ...step, returnedAt: Number.POSITIVE_INFINITY })
    }
  }
  await asking.close()
}

/** Looks at what is new in each member's view. */
function agreement(world: World, { states, chosen }: Group): true | string {
  for (const [name, seen] of states) {
    const { commit, entries } = seen.state.durable
    for (let slot = seen.checked + 1; slot <= commit; slot++) {
      const entry = entries.get(slot)
      if (entry === undefined) continue
      const text = JSON.stringify(entry.value)
      const known = chosen.get(slot)
      if (known === undefined) chosen.set(slot, text)
      else if (known !== text) return `slot ${slot} is ${known}, and ${text} at ${name}`
    }
    seen.checked = commit
  }
  if (chosen.size > 20) world.reached('more than 20 slots were chosen')
  return true
}

/** Everybody who decides comes to know the same, without anybody asking for anything. */
async function convergence(world: World, runtime: Runtime, group: Group): Promise<void> {
  for (;;) {
    const views = [...group.states.values()].map(({ state }) => state.durable)
    const furthest = views.toSorted((one, other) => other.commit - one.commit)[0]
    const deciding = furthest?.configurations[0]?.configuration.members ?? []
    const commits = deciding.map((name) => group.states.get(name)?.state.durable.commit)
    if (commits.length > 0 && commits.every((commit) => commit === furthest?.commit)) break
    await sleep(runtime.timers, 100)
  }
  if (group.chosen.size > 0) world.reached('all members know the same')
}

function shownHistory(history: readonly Step[]): string {
  const shown = history.map(({ process, input, output, calledAt, returnedAt }) => {
    const value = 'value' in input ? `=${input.value}` : ''
    const times = `${Math.round(calledAt)}-${Math.round(returnedAt)}`
    return `${times} ${process} ${input.type} ${input.key}${value} → ${output}`
  })
  return shown.join('\n')
}
