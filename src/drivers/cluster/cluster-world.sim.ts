/**
 * A cluster in a simulated world: members on machines of their own, with real disks underneath, and a way
 * in for everybody else. Nothing is sealed: that would cost most of the time and shows nothing here.
 */

import { isHoldfastError } from '../../errors.ts'
import type { RaftHostStatus } from '../../hosts/raft/contract.ts'
import { noSeal } from '../../hosts/raft/plain-seal.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { Process, World } from '../../simulation/world.ts'
import type { Engine, EngineClientOptions } from '../../testing/engines/engine.ts'
import { type ClusterStores, openStores } from './cluster.ts'
import type { Link } from './link/link.ts'
import { type ClusterMachine, clusterMachine } from './machine/machine.ts'
import { type ClusterMember, type MemberTrialParts, startMember } from './member.ts'
import { type ClusterOperator, operatorOver } from './operator.ts'

export interface ClusterWorldOptions {
  /** Default 3. */
  readonly members?: number
  /** The names of machines and members begin with it. Default `m`. */
  readonly prefix?: string
  /** Small, so that snapshots happen. Default 100_000. */
  readonly snapshotEveryEntries?: number
  /** Plants bugs. */
  readonly trial?: (runtime: Runtime, machine: ClusterMachine) => MemberTrialParts
  /** Plants bugs between the ports and the cluster. */
  readonly through?: (link: Link) => Link
  /** Default 300. */
  readonly electionMs?: number
}

export interface ClusterWorld extends Engine<ClusterStores> {
  readonly addresses: readonly string[]
  readonly processes: readonly Process[]
  connect(
    runtime: Runtime,
    options?: EngineClientOptions & { readonly readFrom?: 'leader' | 'any' },
  ): ClusterStores
  operator(runtime: Runtime): ClusterOperator
  /** Starts one more, with nothing on its disk, that waits to be added. */
  joiner(name: string): Process
  /** The members that live now, by name. */
  readonly living: ReadonlyMap<
    string,
    { readonly member: ClusterMember; readonly machine: ClusterMachine }
  >
  leader(): { readonly name: string; readonly status: RaftHostStatus } | undefined
}

const port = 4_100

export function clusterWorld(world: World, options: ClusterWorldOptions = {}): ClusterWorld {
  const { members = 3, prefix = 'm', electionMs = 300, trial } = options
  const machines = Array.from({ length: members }, (_, index) => `${prefix}${index + 1}`)
  const addressOf = (name: string): string => `${name}:${port}`
  const peers = Object.fromEntries(machines.map((name) => [name, addressOf(name)]))
  const living = new Map<string, { member: ClusterMember; machine: ClusterMachine }>()

  /** A member that stops because of its disk starts again, as a supervisor would do it. */
  async function live(runtime: Runtime, name: string, joins: boolean): Promise<void> {
    for (;;) {
      living.delete(name)
      const machine = clusterMachine()
      const planted = trial?.(runtime, machine) ?? {}
      try {
        const member = await startMember(
          runtime,
          {
            id: name,
            listen: addressOf(name),
            ...(joins ? {} : { peers }),
            folder: '/member',
            electionMs,
            heartbeatMs: Math.ceil(electionMs / 5),
            snapshotEveryEntries: options.snapshotEveryEntries ?? 100_000,
          },
          { seal: noSeal, machine, ...planted },
        )
        living.set(name, { member, machine: planted.machine ?? machine })
        const reason = await member.stopped
        world.reached(`a member stopped: ${reason.kind}`)
        if (reason.kind === 'removed') return
      } catch (error) {
        if (!isHoldfastError(error) || error.outcome === 'invalid') throw error
      }
      await sleep(runtime.timers, 200)
    }
  }

  const start = (name: string, joins: boolean): Process =>
    world.machine(name).process('member', (runtime) => live(runtime, name, joins))

  const connect: ClusterWorld['connect'] = (runtime, more = {}) =>
    openStores(
      runtime,
      {
        members: machines.map(addressOf),
        namespace: 'world',
        connectTimeoutMs: 500,
        answerTimeoutMs: 1_000,
        ...more,
      },
      undefined,
      options.through,
    )

  return {
    name: 'cluster',
    machines,
    addresses: machines.map(addressOf),
    processes: machines.map((name) => start(name, false)),
    connect,
    open: async ({ runtime }) => connect(runtime),
    operator: (runtime) => operatorOver(runtime, machines.map(addressOf), undefined),
    joiner: (name) => start(name, true),
    living,
    leader() {
      const leaders = [...living]
        .map(([name, { member }]) => ({ name, status: member.status() }))
        .filter(({ status }) => status.role === 'leader')
      return leaders.sort((one, other) => other.status.term - one.status.term)[0]
    },
  }
}
