/**
 * Mistakes that are easily made in a replicated machine and its clock, each as a small change of the real
 * parts, to show that the judges would find them.
 */
import type { Runtime } from '../../runtime/runtime.ts'
import type { FaultKind } from '../../simulation/world.ts'
import type { ClusterTrial } from './cluster.sim.ts'
import type { LeaderClock } from './leader-clock.ts'
import { type Command, decodeCommand, encodeCommand } from './machine/command.ts'
import type { ClusterMachine } from './machine/machine.ts'
import type { MemberTrialParts } from './member.ts'

export interface PlantedBug {
  readonly name: string
  /** Any of these is right. */
  readonly verdicts: readonly string[]
  readonly trial: ClusterTrial
  /** Default: all that a cluster must survive. */
  readonly faults?: readonly FaultKind[]
  /** Within how many seeds it must be found. */
  readonly seeds: number
}

type Plant = (runtime: Runtime, machine: ClusterMachine) => MemberTrialParts

/** Every snapshot is changed on its way back into the machine. */
function restoredThrough(change: (line: string) => string): Plant {
  return (_, machine) => ({
    machine: {
      ...machine,
      get state() {
        return machine.state
      },
      restore(pieces) {
        const decoder = new TextDecoder()
        const text = pieces.map((piece) => decoder.decode(piece, { stream: true })).join('')
        machine.restore([new TextEncoder().encode(text.split('\n').map(change).join('\n'))])
      },
    },
  })
}

/** Every command is changed before it is carried out. */
function appliedThrough(change: (command: Command, machine: ClusterMachine) => Command): Plant {
  return (_, machine) => ({
    machine: {
      ...machine,
      get state() {
        return machine.state
      },
      apply(index, bytes) {
        const command = decodeCommand(bytes)
        if (command === undefined) return machine.apply(index, bytes)
        return machine.apply(index, encodeCommand(change(command, machine)))
      },
    },
  })
}

function stampedBy(nowMs: (runtime: Runtime, real: number) => () => number): Plant {
  return (runtime) => ({
    clock(real): LeaderClock {
      let own: (() => number) | undefined
      return {
        close: () => real.close(),
        stamp() {
          const stamp = real.stamp()
          if (stamp === undefined) return undefined
          own ??= nowMs(runtime, stamp.nowMs)
          return { term: stamp.term, nowMs: own() }
        },
      }
    },
  })
}

const without = (line: string, word: string, change: (value: never) => unknown): string => {
  if (!line.startsWith(`["${word}"`)) return line
  const [, value] = JSON.parse(line) as [string, never]
  return JSON.stringify([word, change(value)])
}

/**
 * A member alone comes back from a snapshot after every death, and every command is soon in one; and a client
 * that is cut off asks again.
 */
const alone = {
  faults: ['partition', 'one-way-partition', 'kill', 'machine-crash', 'half-open'],
  trial: { members: 1, snapshotEveryEntries: 3, compared: false },
} as const

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'the numbers of commands are ignored',
    verdicts: ['linearizable(record)'],
    seeds: 60,
    ...alone,
    trial: {
      ...alone.trial,
      parts: ['records'],
      trial: appliedThrough(({ number: _, ...command }) => command),
    },
  },
  {
    name: 'the answers are missing from snapshots',
    verdicts: ['linearizable(record)'],
    seeds: 150,
    ...alone,
    trial: {
      ...alone.trial,
      parts: ['records'],
      trial: restoredThrough((line) =>
        without(line, 'client', (client: object) => ({ ...client, answers: [] })),
      ),
    },
  },
  {
    name: 'tokens begin anew after a snapshot is restored',
    verdicts: ['identity', 'order', 'exclusion', 'fence'],
    seeds: 30,
    ...alone,
    trial: {
      ...alone.trial,
      parts: ['leases'],
      trial: restoredThrough((line) =>
        without(line, 'keyspace', (counts: object) => ({ ...counts, writes: '~n0' })),
      ),
    },
  },
  {
    name: 'each leader stamps by its own clock',
    verdicts: ['exclusion', 'fence'],
    seeds: 20,
    trial: {
      parts: ['leases'],
      compared: false,
      trial: stampedBy((runtime) => () => Math.floor(runtime.clock.monotonicMs())),
    },
  },
  {
    name: 'a leader who leads again counts on from where it first began: leases get shorter',
    verdicts: ['exclusion', 'fence'],
    seeds: 40,
    trial: {
      parts: ['leases'],
      compared: false,
      trial: stampedBy((runtime, firstMs) => {
        const beganMs = runtime.clock.monotonicMs()
        return () => firstMs + Math.floor(runtime.clock.monotonicMs() - beganMs)
      }),
    },
  },
  {
    name: 'a watch that lost its connection goes on from now, not from where it was',
    verdicts: ['news', 'order'],
    seeds: 20,
    trial: {
      parts: ['registry'],
      compared: false,
      through: (link) => ({
        ...link,
        get closed() {
          return link.closed
        },
        follow(method, values, follower) {
          const [prefix, from] = values
          if (method !== 'registry.watch' || from === null) {
            return link.follow(method, values, follower)
          }
          return link.follow(method, [prefix, null], {
            news: (change) => isSnapshot(change) || follower.news(change),
            over: follower.over,
          })
        },
      }),
    },
  },
]

function isSnapshot(change: unknown): boolean {
  return (change as { readonly kind: string }).kind === 'snapshot'
}
