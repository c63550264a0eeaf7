/**
 * The machine that every member runs: the same commands in the same order lead to the same locks, entries
 * and records everywhere. It has no clock of its own. Time is what the leader's stamps say, and it never
 * goes back:
 *
 * A new leader first has `clock.lead` agreed on. From then on only its stamps count, and it counts them
 * from the time the machine showed at that moment. So the cluster's clock may stand still between two
 * leaders, but it never runs ahead of the one before: a lease only gets longer by a change of leader,
 * never shorter. A command with a stamp of a former leader is refused, not carried out at a wrong time.
 */
import { InvalidArgumentError, isHoldfastError, LimitExceededError } from '../../../errors.ts'
import type { ReplicatedMachine } from '../../../hosts/raft/contract.ts'
import { requireText } from '../../../ports/arguments.ts'
import { type ClientSessions, clientSessions } from '../../../protocols/sessions/sessions.ts'
import { type Bells, bells as newBells } from '../link/hints.ts'
import { wireError } from '../link/link-errors.ts'
import { type Command, type CommandAnswer, decodeCommand, encodeAnswer } from './command.ts'
import { type Keyspace, keyspace, writeCalls } from './keyspace.ts'
import { type OrderedMap, orderedMap } from './ordered-map.ts'
import { type Restoring, restoreCalls } from './restore.ts'
import { loadSnapshot, snapshotPieces, snapshotTexts } from './snapshot.ts'
import { timeIndex } from './time-index.ts'

/** All that is replicated. */
export interface MachineState {
  clusterId: string
  timeMs: number
  /** The term whose leader's stamps count. */
  clockTerm: number
  /** Where clients reach each member that ever led. */
  readonly doors: Map<string, string>
  readonly sessions: ClientSessions<string>
  readonly keyspaces: OrderedMap<Keyspace>
  /** A backup on its way in. */
  restoring: Restoring | undefined
}

export interface ClusterMachine extends ReplicatedMachine {
  readonly state: Readonly<MachineState>
  /** The namespace as it is; an empty one if nothing was ever written there. */
  keyspace(namespace: string): Keyspace
  /** Rung after commands, under `NAMESPACE leases NAME` and so on. */
  readonly bells: Bells
  /** When something ends or comes due next, so that somebody must write a command to let time pass. */
  nextMomentMs(): number | undefined
  /** The state as text, for a backup. */
  texts(): Iterable<string>
  /** Calls back after each command and each restore. @returns stops. */
  observe(applied: () => void): () => void
}

export const sessionLimits = {
  sessionsMax: 10_000,
  ttlMs: 600_000,
  idleMinMs: 120_000,
  openMax: 1_024,
} as const
export const namespacesMax: number = 1_000
const doorsMax = 1_000
const encoder = new TextEncoder()

export function clusterMachine(): ClusterMachine {
  const topics = new Set<string>()
  const bells = newBells()
  const moments = timeIndex()
  const observers = new Set<() => void>()
  const state: MachineState = {
    clusterId: '',
    timeMs: 0,
    clockTerm: 0,
    doors: new Map(),
    sessions: clientSessions(sessionLimits),
    keyspaces: orderedMap(),
    restoring: undefined,
  }

  function make(namespace: string): Keyspace {
    return keyspace((topic) => topics.add(`${namespace} ${topic}`))
  }

  function noteMoment(namespace: string): void {
    const space = state.keyspaces.get(namespace)
    moments.put(namespace, space?.nextMomentMs(state.timeMs))
  }

  function advance(nowMs: number): void {
    if (nowMs > state.timeMs) state.timeMs = nowMs
    for (const namespace of [...moments.until(state.timeMs)]) {
      state.keyspaces.get(namespace)?.expire(state.timeMs)
      noteMoment(namespace)
    }
    state.sessions.expire(state.timeMs)
  }

  function lead(term: number, id: string, door: string, clusterId: string): CommandAnswer {
    if (term > state.clockTerm) state.clockTerm = term
    if (state.clusterId === '') state.clusterId = clusterId
    if (state.doors.has(id) || state.doors.size < doorsMax) state.doors.set(id, door)
    return { answer: { clockTerm: state.clockTerm, timeMs: state.timeMs } }
  }

  function carryOut(index: number, { call, with: values, in: namespace = '' }: Command): unknown {
    const newId = `${state.clusterId.slice(0, 8)}-${index.toString(36)}`
    if (call === 'clock.tick') return undefined
    if (call === 'sessions.open') {
      return state.sessions.open(newId, state.timeMs) ? newId : undefined
    }
    const restore = own(restoreCalls, call)
    if (restore !== undefined) {
      const answer = restore(state, make, ...(values as never[]))
      for (const [name] of state.keyspaces.from('')) noteMoment(name)
      return answer
    }
    const write = own(writeCalls, call)
    if (write === undefined) throw new InvalidArgumentError(`there is no "${call}"`)
    requireText('namespace', namespace, 100)
    const known = state.keyspaces.get(namespace)
    if (known === undefined && state.keyspaces.size >= namespacesMax) {
      throw new LimitExceededError(`there are ${namespacesMax} namespaces already`)
    }
    const space = known ?? make(namespace)
    if (known === undefined) state.keyspaces.set(namespace, space)
    const answer = write(space, { nowMs: state.timeMs, newId }, ...(values as never[]))
    noteMoment(namespace)
    return answer
  }

  function answer(index: number, command: Command): CommandAnswer {
    try {
      return { answer: carryOut(index, command) }
    } catch (error) {
      const told = isHoldfastError(error) ? wireError(error) : undefined
      return { error: told ?? { code: 'invalid-argument', message: `${command.call}: malformed` } }
    }
  }

  function numbered(index: number, command: Command): string {
    const { number } = command
    if (number === undefined) return encodeAnswer(answer(index, command))
    const admission = state.sessions.admit(number, state.timeMs)
    switch (admission.kind) {
      case 'repeated':
        return admission.answer
      case 'over':
        return encodeAnswer({ refused: 'session-over' })
      case 'forgotten':
        return encodeAnswer({ refused: 'forgotten' })
      case 'full':
        return encodeAnswer({ refused: 'too-many-open' })
      case 'new': {
        const encoded = encodeAnswer(answer(index, command))
        state.sessions.finish(number, encoded)
        return encoded
      }
    }
  }

  function applied(index: number, bytes: Uint8Array): string {
    const command = decodeCommand(bytes)
    if (command === undefined) {
      return encodeAnswer({ error: { code: 'invalid-argument', message: 'not a command' } })
    }
    const { call, stamp, with: values } = command
    if (call === 'clock.lead') {
      const [term, id, door, clusterId] = values
      return encodeAnswer(lead(Number(term), String(id), String(door), String(clusterId)))
    }
    if (stamp === undefined || stamp.term !== state.clockTerm) {
      return encodeAnswer({ refused: 'stale-stamp' })
    }
    advance(stamp.nowMs)
    return numbered(index, command)
  }

  function ring(): void {
    const rung = [...topics]
    topics.clear()
    for (const topic of rung) bells.ring(topic)
    for (const observer of [...observers]) observer()
  }

  return {
    state,
    bells,
    apply(index, bytes) {
      const encoded = applied(index, bytes)
      ring()
      return encoder.encode(encoded)
    },
    snapshot: () => snapshotPieces(state),
    texts: () => snapshotTexts(state),
    restore(pieces) {
      loadSnapshot(state, pieces, make)
      moments.clear()
      for (const [namespace] of state.keyspaces.from('')) noteMoment(namespace)
      topics.clear()
      bells.ringAll()
      ring()
    },
    keyspace: (namespace) => state.keyspaces.get(namespace) ?? make(namespace),
    nextMomentMs: () => moments.firstMs(),
    observe(applied) {
      const observer = (): void => applied()
      observers.add(observer)
      return () => void observers.delete(observer)
    },
  }
}

function own<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}
