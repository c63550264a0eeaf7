/**
 * Members of a small cluster, each on a machine of its own, for tests of one thing at a time.
 */
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { Process, World } from '../../simulation/world.ts'
import type { RaftHost, ReplicatedMachine } from './contract.ts'
import type { RaftHostOptions } from './options.ts'
import { noSeal } from './plain-seal.ts'
import { type RaftHostParts, raftHostOf } from './raft-host.ts'

/** Keeps the commands it was given, as texts; answers how many there are. */
export interface ListMachine extends ReplicatedMachine {
  readonly list: readonly string[]
}

export function listMachine(): ListMachine {
  const list: string[] = []
  return {
    list,
    apply(_index, command) {
      list.push(new TextDecoder().decode(command))
      return bytes(String(list.length))
    },
    snapshot: () => list.map(bytes),
    restore(pieces) {
      list.length = 0
      for (const piece of pieces) list.push(new TextDecoder().decode(piece))
    },
  }
}

export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

export function firstMembers(ids: readonly MemberId[]): Configuration {
  const addresses = Object.fromEntries(ids.map((id) => [id, `${id}:7000`]))
  return { voters: ids, outgoing: [], learners: [], addresses, retired: [] }
}

export interface Member {
  readonly host: RaftHost
  readonly machine: ListMachine
  readonly process: Process
  /** Events and counters of the host, by name. */
  readonly seen: Map<string, number>
}

export interface StartOptions extends Partial<Omit<RaftHostOptions, 'runtime'>> {
  readonly ids: readonly MemberId[]
  /** The machine it runs on, if it is not named like the member. */
  readonly on?: string
  readonly parts?: Partial<RaftHostParts>
}

/** Starts a member `id`; resolves when its door is open. */
export function startMember(world: World, id: MemberId, options: StartOptions): Promise<Member> {
  const { ids, on = id, parts, ...rest } = options
  return new Promise((resolve, reject) => {
    const seen = new Map<string, number>()
    const note = (name: string): void => void seen.set(name, (seen.get(name) ?? 0) + 1)
    const main = async (runtime: Runtime): Promise<void> => {
      const machine = listMachine()
      const given: RaftHostOptions = {
        runtime,
        id,
        clusterId: 'test',
        folder: '/raft',
        listen: '0.0.0.0:7000',
        bootstrap: firstMembers(ids),
        machine,
        raft: { electionMs: 200, heartbeatMs: 50 },
        observer: {
          event: note,
          count: (name, labels) => note(labels?.reason === undefined ? name : labels.reason),
          measure() {},
          snapshot: () => () => {},
        },
        ...rest,
      }
      const seal = given.secrets === undefined ? { seal: noSeal } : {}
      try {
        const host = await raftHostOf(given, { ...seal, ...parts })
        resolve({ host, machine, process, seen })
        await host.stopped
      } catch (error) {
        reject(error)
      }
    }
    const process = world.machine(on).process(`member-${id}-${options.folder ?? ''}`, main)
  })
}

export function startMembers(
  world: World,
  ids: readonly MemberId[],
  options: Omit<StartOptions, 'ids'> = {},
): Promise<Member[]> {
  return Promise.all(ids.map((id) => startMember(world, id, { ids, ...options })))
}

/** The one that leads, as soon as all that run agree on it. */
export async function leaderOf(runtime: Runtime, members: readonly Member[]): Promise<Member> {
  for (let tries = 0; tries < 2_000; tries += 1) {
    const alive = members.filter(({ process }) => process.alive)
    const leaders = alive.filter(({ host }) => host.status().role === 'leader')
    const [first] = leaders.sort((a, b) => b.host.status().term - a.host.status().term)
    const followed = alive.every(({ host }) => host.status().leader === first?.host.id)
    if (first !== undefined && followed) return first
    await sleep(runtime.timers, 10)
  }
  throw new Error('nobody leads')
}

export async function until(runtime: Runtime, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 5_000; tries += 1) {
    if (holds()) return
    await sleep(runtime.timers, 10)
  }
  throw new Error('it never came about')
}
