/**
 * A group on a perfect day: every write is done at once and every message arrives, unless a test says
 * otherwise. For rules that need no misfortune, or exactly one.
 */
import type { NodeId } from './ballot.ts'
import type { DurableState, Genesis, PaxosInput, PaxosOutputs } from './contract.ts'
import { applyRecord, newMember } from './durable.ts'
import type { Message } from './message.ts'
import { type PaxosState, paxos, step, take } from './paxos.ts'

export interface Lockstep {
  readonly messages: Message[]
  /** What each member applied: commands as text. */
  readonly applied: Map<NodeId, string[]>
  readonly reads: string[]
  readonly refused: PaxosOutputs['refused'][number][]
  readonly ended: Map<NodeId, string>
  /** Members that hear and say nothing. */
  readonly silent: Set<NodeId>
  nowMs: number
  add(id: NodeId, disk?: string): void
  state(id: NodeId): PaxosState
  tell(id: NodeId, input: PaxosInput): void
  propose(id: NodeId, text: string): void
  /** Starts again from its disk. */
  restart(id: NodeId): void
  /** Time passes for all, in steps of 50 ms. */
  pass(durationMs: number): void
}

export function lockstep(genesis: Genesis): Lockstep {
  const states = new Map<NodeId, PaxosState>()
  const disks = new Map<NodeId, DurableState>()
  const queue: Message[] = []

  function settle(id: NodeId): void {
    const state = group.state(id)
    for (;;) {
      const out = take(state)
      queue.push(...out.send, ...out.sendAfter.map(({ message }) => message))
      group.reads.push(...out.reads.map((read) => `${read.id}@${read.slot}`))
      group.refused.push(...out.refused)
      if (out.ended !== undefined) group.ended.set(id, out.ended)
      const texts = group.applied.get(id) ?? []
      group.applied.set(id, texts)
      if (out.install !== undefined) {
        texts.splice(0, texts.length, ...JSON.parse(new TextDecoder().decode(out.install.state)))
      }
      for (const { value } of out.chosen) {
        if (value.kind === 'command') texts.push(new TextDecoder().decode(value.data))
      }
      if (out.write === undefined) return
      const disk = disks.get(id)
      for (const one of out.write.records) if (disk !== undefined) applyRecord(disk, one)
      step(state, { kind: 'written', ticket: out.write.ticket }, group.nowMs)
    }
  }

  function deliver(): void {
    for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
      const { from, to } = message
      if (group.silent.has(from) || group.silent.has(to) || !states.has(to)) continue
      group.messages.push(message)
      step(group.state(to), { kind: 'message', message }, group.nowMs)
      settle(to)
    }
  }

  function start(id: NodeId, disk: DurableState): void {
    disks.set(id, disk)
    group.applied.set(id, [])
    states.set(id, paxos({ id, seed: states.size + 1 }, structuredClone(disk), group.nowMs))
    settle(id)
  }

  const group: Lockstep = {
    ...{ messages: [], applied: new Map(), reads: [], refused: [], ended: new Map() },
    silent: new Set(),
    nowMs: 0,
    add: (id, disk = id) => start(id, newMember(disk, genesis)),
    state(id) {
      const state = states.get(id)
      if (state === undefined) throw new Error(`there is no ${id}`)
      return state
    },
    tell(id, input) {
      step(group.state(id), input, group.nowMs)
      settle(id)
      deliver()
    },
    propose(id, text) {
      group.tell(id, { kind: 'propose', id: text, data: new TextEncoder().encode(text) })
    },
    restart(id) {
      const disk = disks.get(id)
      if (disk !== undefined) start(id, disk)
    },
    pass(durationMs) {
      const endMs = group.nowMs + durationMs
      while (group.nowMs < endMs) {
        group.nowMs += 50
        for (const id of states.keys()) if (!group.silent.has(id)) group.tell(id, { kind: 'time' })
      }
    },
  }
  return group
}
